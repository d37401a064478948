use futures_util::FutureExt as _;

use super::*;

fn link() -> (Arc<Links>, Arc<Link>) {
    let links = Arc::<Links>::default();
    let address = IpAddr::from([192, 0, 2, 1]);
    let link = links.open(address, Handshake::default(), 0, Parser::Text, true, None);
    (links, link)
}

#[test]
fn a_client_goes_when_its_websocket_ends() {
    let (_links, link) = link();
    let mut gone = Box::pin(link.gone());
    link.set_websocket(true);
    assert_eq!((&mut gone).now_or_never(), None);
    link.set_websocket(false);
    assert_eq!(gone.now_or_never(), Some(()));
    assert_eq!(link.gone().now_or_never(), Some(()));
}

#[test]
fn a_polling_session_goes_on_when_its_upgrade_fails() {
    let (links, link) = link();
    links.name(&link, "sid");
    let mut gone = Box::pin(link.gone());
    assert_eq!((&mut gone).now_or_never(), None);
    link.set_websocket(true);
    link.set_websocket(false);
    assert_eq!((&mut gone).now_or_never(), None);
    link.kill();
    assert_eq!(gone.now_or_never(), Some(()));
}
