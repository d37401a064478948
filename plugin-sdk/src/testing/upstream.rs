//! The back ends of native tests: what answers a policy's HTTP requests.

use std::collections::BTreeMap;
use std::fmt;

use crate::http::{Error, Request, Response};

type Closure = Box<dyn FnMut(&Request) -> Result<Response, Error>>;

#[derive(Default)]
pub(super) struct Upstream {
    /// By URL.
    answers: BTreeMap<String, Result<Response, Error>>,
    /// Asked where there is no answer.
    closure: Option<Closure>,
    pub(super) requests: Vec<Request>,
}

impl Upstream {
    pub(super) fn answer(&mut self, url: &str, answer: Result<Response, Error>) {
        self.answers.insert(url.to_owned(), answer);
    }

    pub(super) fn serve(&mut self, closure: Closure) {
        self.closure = Some(closure);
    }

    pub(super) fn fetch(&mut self, request: Request) -> Result<Response, Error> {
        let answer = match (self.answers.get(&request.url), &mut self.closure) {
            (Some(answer), _) => answer.clone(),
            (None, Some(closure)) => closure(&request),
            (None, None) => Err(Error::Failed(format!(
                "the test has no answer for {}",
                request.url
            ))),
        };
        self.requests.push(request);
        answer
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("answers", &self.answers)
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}
