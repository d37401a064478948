//! The attributes of `sluice-plugin-sdk`, which re-exports them: `#[policy]` turns a struct into a configuration and an
//! `impl` block into a policy; the others mark the methods of that block.
//!
//! `settings` is about structs; `hooks` reads an `impl` block, `signature` its methods' parameters, and `expand` writes
//! the implementation of `Policy`. What an author gets wrong is told where it stands, all of it at once.

mod expand;
mod hooks;
mod settings;
mod signature;

use proc_macro::TokenStream;
use quote::quote;
use syn::{Error, Item};

/// Makes a policy: on a struct, its fields become the configuration; on an `impl` block of it, the marked methods become
/// the hooks, and the crate exports the policy.
///
/// On the struct it derives serde's `Deserialize`, and refuses unknown keys; `#[serde(…)]` works on the fields
/// (`#[serde(default)]`, for example, makes one optional). A struct that derives `Deserialize` in its own way goes
/// without it.
///
/// On the `impl` block it implements `Policy` from the methods that are marked:
///
/// | attribute | parameters beside `&self` or `&mut self` | answers with |
/// |---|---|---|
/// | `#[on_connect]` | none, what the client sent as a type that serde reads, `&ConnectCall<'_>`, or both | `Admission`, `Identity`, `Option<Identity>` |
/// | `#[on_event("glob", self.events)]` | none, one for each argument, one tuple for all of them, `&EventCall<'_>` | `Verdict` |
/// | `#[on_subscribe("room:*")]` | none, `&str`, `&SubscribeCall<'_>` | `Subscription` |
/// | `#[on_disconnect]` | none, `DisconnectReason`, `u64` for the socket | nothing |
/// | `#[configure]` | none | `Result<(), String>` |
/// | `#[buckets]`, `#[metrics]` | none | an array or a list of `Bucket`, of `Metric` |
///
/// Every hook may as well answer with `()`, which lets pass, with a `Denial`, or with a `Result` whose error turns into
/// one. There may be several `#[on_event]` and `#[on_subscribe]` methods: the first glob that matches counts, from top to
/// bottom. A glob is a text, a list of texts or an optional one, taken from the configuration if it names `self`.
///
/// A method that takes arguments or `&EventCall<'_>` is handed the arguments; `#[on_event("glob", args = false)]` leaves
/// them out, which is faster. Fastest is what need not be asked: with `advance = Advance::within(0, Subject::User, 1)` events
/// pass for as long as the bucket allows it, and the method is called for the others.
///
/// `#[policy(grants(emit, rooms, cluster_state, http))]` says what the policy asks for beside its verdicts.
#[proc_macro_attribute]
pub fn policy(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let attribute = attribute.into();
    let done = match syn::parse::<Item>(item) {
        Ok(Item::Struct(item)) => settings::policy(&attribute, item),
        Ok(Item::Impl(item)) => hooks::policy(attribute, item),
        Ok(other) => Err((
            quote!(#other),
            Error::new_spanned(
                &other,
                "`#[policy]` goes on a struct, whose fields are the configuration, and on its `impl` block",
            ),
        )),
        Err(error) => Err((quote!(), error)),
    };
    tokens(done)
}

/// Makes a struct or an enum part of a configuration: it derives serde's `Deserialize`, and refuses unknown keys.
#[proc_macro_attribute]
pub fn config(attribute: TokenStream, item: TokenStream) -> TokenStream {
    tokens(settings::config(&attribute.into(), item.into()))
}

/// What came of an item; with an error, the item stays as it can be, so that one mistake does not look like many.
type Done = Result<proc_macro2::TokenStream, (proc_macro2::TokenStream, Error)>;

fn tokens(done: Done) -> TokenStream {
    match done {
        Ok(tokens) => tokens.into(),
        Err((item, error)) => {
            let error = error.to_compile_error();
            quote!(#item #error).into()
        }
    }
}

macro_rules! marks {
    ($($(#[$docs:meta])* $name:ident)*) => {$(
        $(#[$docs])*
        #[proc_macro_attribute]
        pub fn $name(_: TokenStream, item: TokenStream) -> TokenStream {
            let item = proc_macro2::TokenStream::from(item);
            let message = concat!(
                "`#[", stringify!($name), "]` marks a method of an `impl` block that has `#[policy]` on it"
            );
            let error = Error::new(proc_macro2::Span::call_site(), message);
            tokens(Err((item, error)))
        }
    )*};
}

marks! {
    /// Marks the method that is asked when a client connects; see `#[policy]`.
    on_connect
    /// Marks a method that is asked about the events that its globs match; see `#[policy]`.
    on_event
    /// Marks a method that is asked about the rooms that its globs match; see `#[policy]`.
    on_subscribe
    /// Marks the method that is told when a client is gone; see `#[policy]`.
    on_disconnect
    /// Marks the method that checks a configuration and prepares what the hooks need; see `#[policy]`.
    configure
    /// Marks the method that declares the buckets; see `#[policy]`.
    buckets
    /// Marks the method that declares the metrics; see `#[policy]`.
    metrics
}
