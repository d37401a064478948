//! What a marked method takes.

use syn::spanned::Spanned;
use syn::{Error, FnArg, ReturnType, Type};

use crate::hooks::Kind;

/// The parameters of a marked method, and where its answer stands.
pub(crate) struct Signature {
    pub(crate) params: Vec<Param>,
    pub(crate) output: proc_macro2::Span,
}

/// One parameter beside `self`.
pub(crate) enum Param {
    /// `&EventCall<'_>` and its like.
    Call,
    /// All of the arguments, or all of what a client authenticates with.
    All(Box<Type>),
    /// One argument.
    One(Box<Type>),
    Room,
    Reason,
    Socket,
}

impl Signature {
    /// Whether the arguments of an event are of use to it.
    pub(crate) fn wants_args(&self) -> bool {
        self.has_typed_args() || self.params.iter().any(|param| matches!(param, Param::Call))
    }

    pub(crate) fn has_typed_args(&self) -> bool {
        let mut params = self.params.iter();
        params.any(|param| matches!(param, Param::All(_) | Param::One(_)))
    }
}

pub(crate) fn read(kind: Kind, signature: &syn::Signature) -> syn::Result<Signature> {
    if let Some(asyncness) = &signature.asyncness {
        return Err(Error::new_spanned(
            asyncness,
            "a hook is not `async`: the broker waits for its answer",
        ));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &signature.generics,
            "a hook has no parameters of this kind: the broker could not choose them",
        ));
    }
    receiver(kind, signature)?;
    let mut params = Vec::new();
    for input in &signature.inputs {
        if let FnArg::Typed(input) = input {
            params.push(param(kind, &input.ty)?);
        }
    }
    Ok(Signature {
        params: count(kind, params, signature)?,
        output: match &signature.output {
            ReturnType::Default => signature.ident.span(),
            ReturnType::Type(_, ty) => ty.span(),
        },
    })
}

fn receiver(kind: Kind, signature: &syn::Signature) -> syn::Result<()> {
    let wants = match kind {
        Kind::Buckets | Kind::Metrics => "`&self`",
        Kind::Configure => "`&mut self`",
        _ => "`&mut self` or `&self`",
    };
    let message = format!("a method with `#[{}]` takes {wants}", kind.mark());
    let Some(receiver) = signature.receiver() else {
        return Err(Error::new_spanned(&signature.ident, message));
    };
    let mutable = matches!(kind, Kind::Buckets | Kind::Metrics) && receiver.mutability.is_some();
    if receiver.reference.is_none() || mutable {
        return Err(Error::new_spanned(receiver, message));
    }
    Ok(())
}

fn param(kind: Kind, ty: &Type) -> syn::Result<Param> {
    if let Some(call) = call(ty) {
        return a_call(kind, ty, &call);
    }
    match kind {
        Kind::Connect => Ok(Param::All(Box::new(ty.clone()))),
        Kind::Event if matches!(ty, Type::Tuple(_)) => Ok(Param::All(Box::new(ty.clone()))),
        Kind::Event => Ok(Param::One(Box::new(ty.clone()))),
        Kind::Subscribe if is_str(ty) => Ok(Param::Room),
        Kind::Disconnect if last(ty).as_deref() == Some("DisconnectReason") => Ok(Param::Reason),
        Kind::Disconnect if last(ty).as_deref() == Some("u64") => Ok(Param::Socket),
        _ => Err(Error::new_spanned(ty, takes(kind))),
    }
}

fn a_call(kind: Kind, ty: &Type, call: &str) -> syn::Result<Param> {
    let wants = match kind {
        Kind::Connect => "ConnectCall",
        Kind::Event => "EventCall",
        Kind::Subscribe => "SubscribeCall",
        _ => return Err(Error::new_spanned(ty, takes(kind))),
    };
    let mark = kind.mark();
    if call != wants {
        let message = format!("`#[{mark}]` is handed `&{wants}<'_>`; `{call}` is another hook's");
        return Err(Error::new_spanned(ty, message));
    }
    match ty {
        Type::Reference(reference) if reference.mutability.is_none() => Ok(Param::Call),
        _ => Err(Error::new_spanned(
            ty,
            format!("`#[{mark}]` is handed a shared reference: `&{wants}<'_>`"),
        )),
    }
}

/// Too many, or some that cannot stand side by side.
fn count(kind: Kind, params: Vec<Param>, signature: &syn::Signature) -> syn::Result<Vec<Param>> {
    let of = |wanted: fn(&Param) -> bool| params.iter().filter(|param| wanted(param)).count();
    let calls = of(|param| matches!(param, Param::Call));
    let all = of(|param| matches!(param, Param::All(_)));
    let one = of(|param| matches!(param, Param::One(_)));
    let rest = params.len() - calls - all - one;
    let fits = match kind {
        Kind::Disconnect => {
            of(|param| matches!(param, Param::Reason)) < 2
                && of(|param| matches!(param, Param::Socket)) < 2
        }
        _ => calls < 2 && all < 2 && (all == 0 || one == 0) && rest < 2,
    };
    if !fits {
        return Err(Error::new_spanned(&signature.inputs, takes(kind)));
    }
    Ok(params)
}

fn takes(kind: Kind) -> String {
    let what = match kind {
        Kind::Connect => {
            "what the client sent, as one type that serde reads, and `&ConnectCall<'_>`, or less"
        }
        Kind::Event => {
            "one parameter for each argument or one tuple for all of them, and `&EventCall<'_>`, or less"
        }
        Kind::Subscribe => "the room as `&str`, or `&SubscribeCall<'_>`, or both",
        Kind::Disconnect => "the reason as `DisconnectReason`, or the socket as `u64`, or both",
        Kind::Configure | Kind::Buckets | Kind::Metrics => "nothing",
    };
    format!(
        "beside `self`, a method with `#[{}]` takes {what}",
        kind.mark()
    )
}

/// The name of the call that a type is, by reference or not.
fn call(ty: &Type) -> Option<String> {
    let name = match ty {
        Type::Reference(reference) => last(&reference.elem),
        _ => last(ty),
    }?;
    matches!(&*name, "EventCall" | "ConnectCall" | "SubscribeCall").then_some(name)
}

fn is_str(ty: &Type) -> bool {
    matches!(ty, Type::Reference(reference) if last(&reference.elem).as_deref() == Some("str"))
}

/// The last part of a path.
fn last(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    }
}
