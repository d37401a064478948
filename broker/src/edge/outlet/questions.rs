//! What a client has been asked and has not answered yet.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::event::Attachments;
use crate::fanout::Question;
use crate::packet;

/// Questions that one client may leave open; the oldest one is given up for the next.
const MAX: usize = 64;

/// Made with the first one: most clients are never asked.
#[derive(Default)]
pub(in crate::edge) struct Questions(Mutex<Option<Box<Open>>>);

type Open = VecDeque<(i64, Question)>;

impl Questions {
    /// Its client has answered. What nobody asked for, or waits for any more, is nothing.
    pub(in crate::edge) fn answered(&self, id: Option<i64>, args: &str, attachments: Attachments) {
        let question = {
            let mut open = self.0.lock();
            let Some(open) = &mut *open else {
                return;
            };
            let place = open.iter().position(|(of, _)| Some(*of) == id);
            place.and_then(|place| open.remove(place))
        };
        if let Some((_, question)) = question
            && packet::check_args(args, attachments.len()).is_ok()
        {
            question.answer(args, attachments);
        }
    }

    /// Its client answers nothing any more.
    pub(in crate::edge) fn forget(&self) {
        *self.0.lock() = None;
    }

    pub(super) fn keep(&self, id: i64, question: Question) {
        let mut open = self.0.lock();
        let open = open.get_or_insert_default();
        open.retain(|(_, question)| !question.is_stale());
        if open.len() >= MAX {
            open.pop_front();
        }
        open.push_back((id, question));
    }
}
