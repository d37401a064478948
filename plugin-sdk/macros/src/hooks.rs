//! Reading an `impl` block: what the policy asks for, and which methods are hooks.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, Ident, ImplItem, ImplItemFn, ItemImpl, Lit, Meta, Token, Type};

use crate::signature::{self, Signature};
use crate::{Done, expand};

/// A marked method.
pub(crate) struct Hook {
    pub(crate) kind: Kind,
    pub(crate) name: Ident,
    pub(crate) signature: Signature,
    /// Expressions that name events or rooms.
    pub(crate) globs: Vec<Expr>,
    /// Whether the arguments of an event are handed over.
    pub(crate) args: bool,
    /// What its events are answered without a call.
    pub(crate) advance: Option<Expr>,
    mark: Span,
}

/// What a method is marked as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Event,
    Subscribe,
    Disconnect,
    Configure,
    Buckets,
    Metrics,
}

const MARKS: [(&str, Kind); 7] = [
    ("on_connect", Kind::Connect),
    ("on_event", Kind::Event),
    ("on_subscribe", Kind::Subscribe),
    ("on_disconnect", Kind::Disconnect),
    ("configure", Kind::Configure),
    ("buckets", Kind::Buckets),
    ("metrics", Kind::Metrics),
];

const HOOKS: &str =
    "`#[on_connect]`, `#[on_event(…)]`, `#[on_subscribe(…)]` and `#[on_disconnect]`";

const GRANTS: [&str; 4] = ["emit", "rooms", "cluster_state", "http"];

/// `#[policy]` on an `impl` block.
pub(crate) fn policy(attribute: TokenStream, mut item: ItemImpl) -> Done {
    let mut errors = Errors(None);
    errors.note(shape(&item));
    let grants = errors.note(grants(attribute)).unwrap_or_default();
    let mut hooks = Vec::new();
    for member in &mut item.items {
        if let ImplItem::Fn(method) = member {
            hooks.extend(errors.note(hook(method)).flatten());
        }
    }
    errors.note(once_each(&hooks));
    if errors.0.is_none() && !hooks.iter().any(|hook| hook.kind.is_asked()) {
        errors.note::<()>(Err(Error::new_spanned(
            &item.self_ty,
            format!("a policy without a hook is never asked: mark methods with {HOOKS}"),
        )));
    }
    match errors.0 {
        Some(error) => Err((quote!(#item), error)),
        None => Ok(expand::policy(&item, &grants, &hooks)),
    }
}

/// Everything that is wrong, to be told at once.
struct Errors(Option<Error>);

impl Errors {
    fn note<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        let error = match result {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
        None
    }
}

fn shape(item: &ItemImpl) -> syn::Result<()> {
    if let Some((_, path, _)) = &item.trait_ {
        return Err(Error::new_spanned(
            path,
            "`#[policy]` goes on the type's own `impl` block; `impl Policy for …`, written by hand, goes without it \
             and with `export!`",
        ));
    }
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &item.generics,
            "a policy is made from its configuration, so it has no parameters",
        ));
    }
    if !matches!(&*item.self_ty, Type::Path(_)) {
        return Err(Error::new_spanned(&item.self_ty, "a policy is a struct"));
    }
    Ok(())
}

/// The constants of `Capabilities` that `grants(…)` names.
fn grants(attribute: TokenStream) -> syn::Result<Vec<Ident>> {
    let Some(first) = attribute.clone().into_iter().next() else {
        return Ok(Vec::new());
    };
    let expected = "expected `grants(…)`, with some of `emit`, `rooms`, `cluster_state` and `http`";
    let meta: Meta = syn::parse2(attribute).map_err(|_| Error::new(first.span(), expected))?;
    let Meta::List(list) = &meta else {
        return Err(Error::new_spanned(meta, expected));
    };
    if !list.path.is_ident("grants") {
        return Err(Error::new_spanned(&list.path, expected));
    }
    let names = list.parse_args_with(Punctuated::<Ident, Token![,]>::parse_terminated)?;
    names
        .into_iter()
        .map(|name| {
            if !GRANTS.contains(&name.to_string().as_str()) {
                let message = format!(
                    "there is no capability `{name}`; there are `emit`, `rooms`, `cluster_state` and `http`"
                );
                return Err(Error::new(name.span(), message));
            }
            Ok(format_ident!("{}", name.to_string().to_uppercase()))
        })
        .collect()
}

/// The hook that a method is marked as, if it is. The mark is taken off, whether it is right or wrong.
fn hook(method: &mut ImplItemFn) -> syn::Result<Option<Hook>> {
    let mut marks = Vec::new();
    let mut wrong = Errors(None);
    method.attrs.retain(|attribute| match mark(attribute) {
        Ok(Some(kind)) => {
            marks.push((kind, attribute.clone()));
            false
        }
        Ok(None) => true,
        Err(error) => {
            wrong.note::<()>(Err(error));
            false
        }
    });
    if let Some(error) = wrong.0 {
        return Err(error);
    }
    if let [_, (_, second), ..] = &marks[..] {
        return Err(Error::new_spanned(
            second.path(),
            "a method is one hook; several events fit in one `#[on_event(\"a\", \"b\")]`",
        ));
    }
    let Some((kind, attribute)) = marks.pop() else {
        return Ok(None);
    };
    let Named {
        globs,
        args,
        advance,
    } = named(kind, &attribute)?;
    let signature = signature::read(kind, &method.sig)?;
    if args == Some(true) && !signature.wants_args() {
        return Err(Error::new_spanned(
            &attribute,
            "the method takes no arguments, so it is handed none; leave `args` out",
        ));
    }
    if args == Some(false) && signature.has_typed_args() {
        return Err(Error::new_spanned(
            &attribute,
            "the method takes arguments, and `args = false` leaves them out",
        ));
    }
    Ok(Some(Hook {
        kind,
        name: method.sig.ident.clone(),
        args: args.unwrap_or_else(|| signature.wants_args()),
        signature,
        globs,
        advance,
        mark: attribute.path().span(),
    }))
}

/// What an attribute marks its method as; none if it is about something else.
fn mark(attribute: &Attribute) -> syn::Result<Option<Kind>> {
    let Some(last) = attribute.path().segments.last() else {
        return Ok(None);
    };
    let name = last.ident.to_string();
    if let Some((_, kind)) = MARKS.iter().find(|(mark, _)| *mark == name) {
        return Ok(Some(*kind));
    }
    if name.starts_with("on_") && attribute.path().segments.len() == 1 {
        return Err(Error::new_spanned(
            attribute.path(),
            format!("there is no hook `{name}`; the hooks are {HOOKS}"),
        ));
    }
    Ok(None)
}

/// What stands in the parentheses of a mark.
#[derive(Default)]
struct Named {
    globs: Vec<Expr>,
    args: Option<bool>,
    advance: Option<Expr>,
}

fn named(kind: Kind, attribute: &Attribute) -> syn::Result<Named> {
    let name = kind.mark();
    if !kind.has_globs() {
        return match &attribute.meta {
            Meta::Path(_) => Ok(Named::default()),
            _ => Err(Error::new_spanned(
                &attribute.meta,
                format!("`#[{name}]` takes nothing in parentheses"),
            )),
        };
    }
    let example = if kind == Kind::Event {
        "message"
    } else {
        "room:*"
    };
    let needs = format!(
        "`#[{name}]` says which {} it is for: `#[{name}(\"{example}\")]`, or `\"*\"` for all of them",
        if kind == Kind::Event {
            "events"
        } else {
            "rooms"
        },
    );
    let Meta::List(list) = &attribute.meta else {
        return Err(Error::new_spanned(&attribute.meta, needs));
    };
    let parts = list.parse_args_with(Punctuated::<Part, Token![,]>::parse_terminated)?;
    let mut named = Named::default();
    for part in parts {
        match part {
            Part::Glob(glob) => {
                literal(&glob)?;
                named.globs.push(glob);
            }
            Part::Args(_, value) if kind == Kind::Event => named.args = Some(value),
            Part::Args(span, _) => {
                return Err(Error::new(
                    span,
                    "`args` is for `#[on_event]`: rooms have none",
                ));
            }
            Part::Advance(_, value) if kind == Kind::Event => named.advance = Some(value),
            Part::Advance(span, _) => {
                let message = "`advance` is for `#[on_event]`: joining is always asked about";
                return Err(Error::new(span, message));
            }
        }
    }
    if named.globs.is_empty() {
        return Err(Error::new_spanned(&attribute.meta, needs));
    }
    Ok(named)
}

fn literal(glob: &Expr) -> syn::Result<()> {
    match glob {
        Expr::Lit(literal) if !matches!(literal.lit, Lit::Str(_)) => Err(Error::new_spanned(
            literal,
            "a glob is a text: `\"message\"`, `\"chat:*\"`",
        )),
        _ => Ok(()),
    }
}

/// A glob, or a setting.
enum Part {
    Glob(Expr),
    Args(Span, bool),
    Advance(Span, Expr),
}

impl Parse for Part {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !(input.peek(Ident) && input.peek2(Token![=]) && !input.peek2(Token![==])) {
            return Ok(Self::Glob(input.parse()?));
        }
        let key: Ident = input.parse()?;
        let is_args = key == "args";
        if !is_args && key != "advance" {
            let message =
                format!("there is no setting `{key}`; there are `args = false` and `advance`");
            return Err(Error::new(key.span(), message));
        }
        input.parse::<Token![=]>()?;
        if is_args {
            let value: syn::LitBool = input.parse()?;
            return Ok(Self::Args(key.span(), value.value));
        }
        Ok(Self::Advance(key.span(), input.parse()?))
    }
}

/// Of all but two kinds there is one method.
fn once_each(hooks: &[Hook]) -> syn::Result<()> {
    let mut errors = Errors(None);
    for (n, hook) in hooks.iter().enumerate() {
        let mut before = hooks.iter().take(n);
        if let Some(first) = before.find(|first| first.kind == hook.kind)
            && !hook.kind.has_globs()
        {
            let message = format!(
                "`{}` is marked with `#[{}]` already, and a policy has one such method",
                first.name,
                hook.kind.mark()
            );
            errors.note::<()>(Err(Error::new(hook.mark, message)));
        }
    }
    errors.0.map_or(Ok(()), Err)
}

// === impl Kind ===

impl Kind {
    pub(crate) fn mark(self) -> &'static str {
        let mut marks = MARKS.iter();
        marks
            .find(|(_, kind)| *kind == self)
            .map_or("", |(mark, _)| mark)
    }

    pub(crate) fn has_globs(self) -> bool {
        matches!(self, Self::Event | Self::Subscribe)
    }

    /// Whether it is one of the contract's hooks, or only prepares.
    fn is_asked(self) -> bool {
        self.constant().is_some()
    }

    /// The constant of `Hooks`.
    pub(crate) fn constant(self) -> Option<Ident> {
        let name = match self {
            Self::Connect => "CONNECT",
            Self::Event => "EVENT",
            Self::Subscribe => "SUBSCRIBE",
            Self::Disconnect => "DISCONNECT",
            Self::Configure | Self::Buckets | Self::Metrics => return None,
        };
        Some(format_ident!("{name}"))
    }
}
