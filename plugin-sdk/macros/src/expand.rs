//! Writing `impl Policy` from what was read.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ItemImpl;
use syn::spanned::Spanned;

use crate::hooks::{Hook, Kind};
use crate::signature::Param;

/// The block as it was written, the implementation of `Policy`, and the export.
pub(crate) fn policy(item: &ItemImpl, grants: &[Ident], hooks: &[Hook]) -> TokenStream {
    let ty = &item.self_ty;
    let mut kinds: Vec<Ident> = hooks
        .iter()
        .filter_map(|hook| hook.kind.constant())
        .collect();
    kinds.sort();
    kinds.dedup();
    let interests = interests(hooks);
    let configure = of(hooks, Kind::Configure).map(configure);
    let connect = of(hooks, Kind::Connect).map(connect);
    let disconnect = of(hooks, Kind::Disconnect).map(disconnect);
    let event = event(hooks);
    let subscribe = subscribe(hooks);
    quote! {
        #item

        impl ::sluice_plugin_sdk::Policy for #ty {
            const HOOKS: ::sluice_plugin_sdk::Hooks = ::sluice_plugin_sdk::Hooks::NONE
                #(.and(::sluice_plugin_sdk::Hooks::#kinds))*;
            const CAPABILITIES: ::sluice_plugin_sdk::Capabilities = ::sluice_plugin_sdk::Capabilities::NONE
                #(.and(::sluice_plugin_sdk::Capabilities::#grants))*;
            #configure
            #interests
            #connect
            #event
            #subscribe
            #disconnect
        }

        ::sluice_plugin_sdk::export!(#ty);
    }
}

fn of(hooks: &[Hook], kind: Kind) -> Option<&Hook> {
    hooks.iter().find(|hook| hook.kind == kind)
}

/// The methods of a kind, numbered as their rules are.
fn numbered(hooks: &[Hook], kind: Kind) -> impl Iterator<Item = (u32, &Hook)> {
    (0..).zip(hooks.iter().filter(move |hook| hook.kind == kind))
}

fn interests(hooks: &[Hook]) -> TokenStream {
    let events = numbered(hooks, Kind::Event).map(|(number, hook)| {
        let args = hook.args;
        let globs = hook
            .globs
            .iter()
            .map(move |glob| quote_spanned!(glob.span()=> .__events(&(#glob), #args, #number)));
        let advance = hook
            .advance
            .iter()
            .map(move |advance| quote_spanned!(advance.span()=> .__advance(#number, &(#advance))));
        quote!(#(#globs)* #(#advance)*)
    });
    let rooms = numbered(hooks, Kind::Subscribe).map(|(number, hook)| {
        let globs = hook
            .globs
            .iter()
            .map(move |glob| quote_spanned!(glob.span()=> .__rooms(&(#glob), #number)));
        quote!(#(#globs)*)
    });
    let declared = [(Kind::Buckets, "bucket"), (Kind::Metrics, "metric")].map(|(kind, add)| {
        let hook = of(hooks, kind)?;
        let (name, add) = (&hook.name, format_ident!("{add}"));
        Some(quote_spanned! {hook.signature.output=>
            let interests = ::core::iter::IntoIterator::into_iter(Self::#name(self))
                .fold(interests, ::sluice_plugin_sdk::Interests::#add);
        })
    });
    let declared = declared.iter().flatten();
    quote! {
        fn interests(&self) -> ::sluice_plugin_sdk::Interests {
            let interests = ::sluice_plugin_sdk::Interests::new() #(#events)* #(#rooms)*;
            #(#declared)*
            interests
        }
    }
}

fn configure(hook: &Hook) -> TokenStream {
    let name = &hook.name;
    let check = quote_spanned! {hook.signature.output=>
        ::sluice_plugin_sdk::__private::Configured::configured(Self::#name(&mut self))
    };
    quote! {
        fn configure(mut self) -> ::core::result::Result<Self, ::std::string::String> {
            #check?;
            ::core::result::Result::Ok(self)
        }
    }
}

fn connect(hook: &Hook) -> TokenStream {
    let answer = answer(hook, &quote!(::sluice_plugin_sdk::Admission), "auth");
    quote! {
        fn on_connect(
            &mut self,
            call: &::sluice_plugin_sdk::ConnectCall<'_>,
        ) -> ::sluice_plugin_sdk::Admission {
            #answer
        }
    }
}

fn event(hooks: &[Hook]) -> Option<TokenStream> {
    let arms = arms(hooks, Kind::Event, &quote!(::sluice_plugin_sdk::Verdict))?;
    Some(quote! {
        fn on_event(
            &mut self,
            call: &::sluice_plugin_sdk::EventCall<'_>,
        ) -> ::sluice_plugin_sdk::Verdict {
            #arms
        }
    })
}

fn subscribe(hooks: &[Hook]) -> Option<TokenStream> {
    let arms = arms(
        hooks,
        Kind::Subscribe,
        &quote!(::sluice_plugin_sdk::Subscription),
    )?;
    Some(quote! {
        fn on_subscribe(
            &mut self,
            call: &::sluice_plugin_sdk::SubscribeCall<'_>,
        ) -> ::sluice_plugin_sdk::Subscription {
            #arms
        }
    })
}

/// Leads a call to the method that its rule belongs to.
fn arms(hooks: &[Hook], kind: Kind, answers: &TokenStream) -> Option<TokenStream> {
    let arms: Vec<_> = numbered(hooks, kind)
        .map(|(number, hook)| {
            let answer = answer(hook, answers, "args");
            quote!(#number => { #answer })
        })
        .collect();
    (!arms.is_empty()).then(|| {
        quote! {
            match call.__handler() {
                #(#arms)*
                _ => ::sluice_plugin_sdk::__private::no_such_rule(call.rule()),
            }
        }
    })
}

fn disconnect(hook: &Hook) -> TokenStream {
    let name = &hook.name;
    let params = hook.signature.params.iter().map(|param| match param {
        Param::Socket => quote!(socket),
        _ => quote!(reason),
    });
    let call = quote_spanned! {hook.signature.output=>
        let () = Self::#name(self #(, #params)*);
    };
    quote! {
        fn on_disconnect(&mut self, socket: u64, reason: ::sluice_plugin_sdk::DisconnectReason) {
            let _ = (socket, reason);
            #call
        }
    }
}

/// Reads what the method takes, calls it, and makes the hook's answer of its own.
fn answer(hook: &Hook, answers: &TokenStream, read: &str) -> TokenStream {
    let name = &hook.name;
    let mut names = Vec::new();
    let mut types = Vec::new();
    let mut all = None;
    let params = hook.signature.params.iter().map(|param| match param {
        Param::Call => quote!(call),
        Param::Room => quote!(call.room()),
        Param::All(ty) => {
            all = Some(&**ty);
            quote!(args)
        }
        Param::One(ty) => {
            let name = format_ident!("arg_{}", names.len());
            names.push(name.clone());
            types.push(ty);
            quote!(#name)
        }
        Param::Reason | Param::Socket => quote!(),
    });
    let params: Vec<TokenStream> = params.collect();
    let args = match (all, types.is_empty()) {
        (Some(ty), _) => reading(&quote!(args), &quote!(#ty), read, ty.span()),
        (None, false) => {
            // A single one is the one to point at; of several, the compiler names the one that it means.
            let span = match &types[..] {
                [only] => only.span(),
                _ => hook.signature.output,
            };
            let ty = quote_spanned!(span=> (#(#types,)*));
            reading(&quote!((#(#names,)*)), &ty, read, span)
        }
        (None, true) => quote!(),
    };
    let call = quote_spanned! {hook.signature.output=>
        ::sluice_plugin_sdk::Answer::<#answers>::answer(Self::#name(self #(, #params)*))
    };
    quote!(#args #call)
}

fn reading(pattern: &TokenStream, ty: &TokenStream, read: &str, span: Span) -> TokenStream {
    let read = Ident::new(read, span);
    let value = quote_spanned!(span=> call.#read::<#ty>());
    quote! {
        let #pattern = match #value {
            ::core::result::Result::Ok(read) => read,
            ::core::result::Result::Err(error) => return ::core::convert::From::from(error),
        };
    }
}
