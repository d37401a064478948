//! What the methods of a `#[policy] impl` may take their globs from and answer with.

use crate::{Admission, Denial, Identity, Subscription, Verdict};

/// What a method may answer with where the contract wants a `V`: a [`Verdict`], an [`Admission`] or a
/// [`Subscription`].
///
/// ```
/// use sluice_plugin_sdk::{Admission, Answer, Denial, Identity, Verdict};
///
/// let fine: Result<(), Denial> = Ok(());
/// assert_eq!(Answer::<Verdict>::answer(fine), Verdict::Pass);
/// let nobody: Option<Identity> = None;
/// assert_eq!(Answer::<Admission>::answer(nobody), Admission::Pass);
/// ```
#[diagnostic::on_unimplemented(
    message = "a method for this hook answers with a `{V}`, and `{Self}` does not make one",
    label = "not an answer for this hook",
    note = "answer with a `{V}`, with `()` to let pass, with a `Denial`, \
            or with a `Result` of these whose error turns into a `Denial`"
)]
pub trait Answer<V> {
    /// The answer in the contract's form.
    fn answer(self) -> V;
}

impl Answer<Verdict> for Verdict {
    fn answer(self) -> Verdict {
        self
    }
}

impl Answer<Verdict> for () {
    fn answer(self) -> Verdict {
        Verdict::Pass
    }
}

impl Answer<Admission> for Admission {
    fn answer(self) -> Admission {
        self
    }
}

impl Answer<Admission> for Identity {
    fn answer(self) -> Admission {
        Admission::Accept(self)
    }
}

impl Answer<Admission> for Option<Identity> {
    fn answer(self) -> Admission {
        self.map_or(Admission::Pass, Admission::Accept)
    }
}

impl Answer<Admission> for () {
    fn answer(self) -> Admission {
        Admission::Pass
    }
}

impl Answer<Subscription> for Subscription {
    fn answer(self) -> Subscription {
        self
    }
}

impl Answer<Subscription> for () {
    fn answer(self) -> Subscription {
        Subscription::Pass
    }
}

impl<V: From<Denial>> Answer<V> for Denial {
    fn answer(self) -> V {
        self.into()
    }
}

impl<V: From<Denial>, T: Answer<V>, E: Into<Denial>> Answer<V> for Result<T, E> {
    fn answer(self) -> V {
        match self {
            Ok(answer) => answer.answer(),
            Err(error) => V::from(error.into()),
        }
    }
}

/// What a `#[on_event(…)]` or `#[on_subscribe(…)]` may name its globs by: a text, a list of them, or an option.
///
/// ```
/// use sluice_plugin_sdk::Globs;
///
/// let mut names = Vec::new();
/// let configured = vec!["chat:*".to_owned(), "typing".to_owned()];
/// Globs::each(&configured, &mut |glob| names.push(glob.to_owned()));
/// assert_eq!(names, configured);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no events or rooms",
    label = "not a glob",
    note = "a glob is a text, a list of texts or an optional one: `\"chat:*\"`, `self.event`, `self.events`"
)]
pub trait Globs {
    /// Hands over each glob, in order.
    fn each(&self, add: &mut dyn FnMut(&str));
}

impl Globs for str {
    fn each(&self, add: &mut dyn FnMut(&str)) {
        add(self);
    }
}

impl Globs for String {
    fn each(&self, add: &mut dyn FnMut(&str)) {
        add(self);
    }
}

impl<G: Globs + ?Sized> Globs for &G {
    fn each(&self, add: &mut dyn FnMut(&str)) {
        (**self).each(add);
    }
}

impl<G: Globs> Globs for [G] {
    fn each(&self, add: &mut dyn FnMut(&str)) {
        for glob in self {
            glob.each(add);
        }
    }
}

impl<G: Globs, const N: usize> Globs for [G; N] {
    fn each(&self, add: &mut dyn FnMut(&str)) {
        self.as_slice().each(add);
    }
}

impl<G: Globs> Globs for Vec<G> {
    fn each(&self, add: &mut dyn FnMut(&str)) {
        self.as_slice().each(add);
    }
}

impl<G: Globs> Globs for Option<G> {
    fn each(&self, add: &mut dyn FnMut(&str)) {
        self.as_slice().each(add);
    }
}

/// What `configure` may answer with.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a `#[configure]` method answers with `Result<(), String>`, and `{Self}` is another type",
    label = "not an answer for this hook"
)]
pub trait Configured {
    fn configured(self) -> Result<(), String>;
}

impl Configured for () {
    fn configured(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: std::fmt::Display> Configured for Result<(), E> {
    fn configured(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}
