//! Structs and enums that are read from a configuration.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Error, Fields, Item, ItemStruct};

use crate::Done;

/// `#[policy]` on a struct.
pub(crate) fn policy(attribute: &TokenStream, mut item: ItemStruct) -> Done {
    match check(attribute, &item) {
        Ok(()) => {
            if matches!(item.fields, Fields::Unit) {
                // A table of the configuration is read, even if nothing stands in it.
                item.fields = Fields::Named(syn::parse_quote!({}));
                item.semi_token = None;
            }
            Ok(derived(&item.attrs, &item))
        }
        Err(error) => Err((quote!(#item), error)),
    }
}

/// `#[config]` on a struct or an enum.
pub(crate) fn config(attribute: &TokenStream, item: TokenStream) -> Done {
    let parsed = syn::parse2::<Item>(item.clone());
    let checked = nothing(attribute, "config").and_then(|()| match parsed {
        Ok(Item::Struct(item)) => derives(&item.attrs).map(|()| derived(&item.attrs, &item)),
        Ok(Item::Enum(item)) => derives(&item.attrs).map(|()| derived(&item.attrs, &item)),
        Ok(other) => Err(Error::new_spanned(
            other,
            "`#[config]` goes on a struct or an enum of the configuration",
        )),
        Err(error) => Err(error),
    });
    checked.map_err(|error| (item, error))
}

fn check(attribute: &TokenStream, item: &ItemStruct) -> syn::Result<()> {
    if !attribute.is_empty() {
        return Err(Error::new_spanned(
            attribute,
            "what a policy asks for is said on its `impl` block: `#[policy(grants(…))] impl …`",
        ));
    }
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &item.generics,
            "a policy is made from its configuration, so it has no parameters",
        ));
    }
    if let Fields::Unnamed(fields) = &item.fields {
        return Err(Error::new_spanned(
            fields,
            "the fields of a policy are the keys of its configuration, so they have names",
        ));
    }
    derives(&item.attrs)
}

fn nothing(attribute: &TokenStream, name: &str) -> syn::Result<()> {
    if attribute.is_empty() {
        return Ok(());
    }
    Err(Error::new_spanned(
        attribute,
        format!("`#[{name}]` takes nothing in parentheses"),
    ))
}

/// A second `Deserialize` would be reported as a conflict of implementations, which says nothing to an author.
fn derives(attributes: &[Attribute]) -> syn::Result<()> {
    for attribute in attributes
        .iter()
        .filter(|one| one.path().is_ident("derive"))
    {
        let mut found = None;
        attribute.parse_nested_meta(|meta| {
            let last = meta.path.segments.last();
            if last.is_some_and(|last| last.ident == "Deserialize") {
                found = Some(meta.path);
            }
            Ok(())
        })?;
        if let Some(path) = found {
            return Err(Error::new_spanned(
                path,
                "this attribute derives `Deserialize` already; leave it out here",
            ));
        }
    }
    Ok(())
}

fn derived(attributes: &[Attribute], item: &dyn ToTokens) -> TokenStream {
    let item = item.to_token_stream();
    let mut serde = attributes.iter().filter(|one| one.path().is_ident("serde"));
    let strict = serde.any(|one| {
        one.meta
            .to_token_stream()
            .to_string()
            .contains("deny_unknown_fields")
    });
    let strict = (!strict).then(|| quote!(#[serde(deny_unknown_fields)]));
    quote! {
        #[derive(::sluice_plugin_sdk::__private::serde::Deserialize)]
        #[serde(crate = "::sluice_plugin_sdk::__private::serde")]
        #strict
        #item
    }
}
