//! A network that can go dead: it passes bytes on between two addresses until it is told to swallow them.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

/// Passes on every connection to one address. A partition is a black hole: nothing is refused, nothing ends, and
/// nothing arrives, the end of a connection included. What was under way arrives when it heals, as TCP sends it again.
pub struct Relay {
    pub address: SocketAddr,
    gate: Arc<Gate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passage {
    Open,
    Dead,
    /// The relay is gone.
    Over,
}

struct Gate(Mutex<Passage>, Condvar);

impl Relay {
    /// On a free port.
    pub fn to(target: SocketAddr) -> Self {
        Self::from_address(Ipv4Addr::LOCALHOST.into(), target)
    }

    /// The same, with connections that come from an address of the loopback network: so one machine is many clients.
    ///
    /// # Panics
    ///
    /// When there is no free port.
    pub fn from_address(source: IpAddr, target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let gate = Arc::new(Gate(Mutex::new(Passage::Open), Condvar::new()));
        let shared = Arc::clone(&gate);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if *shared.0.lock() == Passage::Over {
                    return;
                }
                let gate = Arc::clone(&shared);
                thread::spawn(move || pass(stream, source, target, &gate));
            }
        });
        Self { address, gate }
    }

    /// Swallows everything from now on.
    pub fn cut(&self) {
        self.gate.set(Passage::Dead);
    }

    /// Passes on again.
    pub fn heal(&self) {
        self.gate.set(Passage::Open);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.gate.set(Passage::Over);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

// === impl Gate ===

impl Gate {
    fn set(&self, passage: Passage) {
        *self.0.lock() = passage;
        self.1.notify_all();
    }

    /// Waits while the network is dead; whether it goes on after that.
    fn goes_on(&self) -> bool {
        let mut passage = self.0.lock();
        while *passage == Passage::Dead {
            self.1.wait(&mut passage);
        }
        *passage == Passage::Open
    }
}

fn pass(near: TcpStream, source: IpAddr, target: SocketAddr, gate: &Arc<Gate>) {
    if !gate.goes_on() {
        return;
    }
    let Ok(far) = dial(source, target) else {
        return;
    };
    let (Ok(near_again), Ok(far_again)) = (near.try_clone(), far.try_clone()) else {
        return;
    };
    let _ = near.set_nodelay(true);
    let _ = far.set_nodelay(true);
    let back = Arc::clone(gate);
    thread::spawn(move || copy(far_again, near_again, &back));
    copy(near, far, gate);
}

/// One direction, until it ends; the other side is then told so.
fn copy(mut from: TcpStream, mut to: TcpStream, gate: &Gate) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer);
        if !gate.goes_on() {
            // The test is over: both ends are let go.
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
        match read {
            Ok(length @ 1..) if to.write_all(&buffer[..length]).is_ok() => {}
            Ok(0) => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            // One side is gone: so is the other.
            _ => {
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}

/// A connection from an address of the loopback network.
pub(crate) fn dial(source: IpAddr, target: SocketAddr) -> io::Result<TcpStream> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddr::new(source, 0))?;
    connect(&socket, &target)?;
    Ok(TcpStream::from(socket))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn nothing_passes_while_it_is_dead_and_everything_when_it_heals() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let source = IpAddr::from([127, 0, 7, 1]);
        let relay = Relay::from_address(source, listener.local_addr().unwrap());
        let mut near = TcpStream::connect(relay.address).unwrap();
        let (mut far, peer) = listener.accept().unwrap();
        assert_eq!(peer.ip(), source);
        let mut buffer = [0; 8];
        near.write_all(b"one").unwrap();
        far.read_exact(&mut buffer[..3]).unwrap();
        relay.cut();
        near.write_all(b"two").unwrap();
        drop(near);
        far.set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        assert!(far.read(&mut buffer).is_err(), "not even an end");
        far.set_read_timeout(None).unwrap();
        relay.heal();
        far.read_exact(&mut buffer[..3]).unwrap();
        assert_eq!(&buffer[..3], b"two");
        assert_eq!(far.read(&mut buffer).unwrap(), 0, "then the end");
    }
}
