//! The functions that a component exports: those of the generated bindings, but for what frees the answer of `on-event`.
//!
//! A function that answers texts can have another beside it, which the broker calls to have them freed. Such a call costs
//! a quarter of an event that passes, and nearly all events pass: so `on-event` has none, and what it has answered is
//! freed when the component is called again.

use std::cell::Cell;
use std::ptr;

use super::bindings::{self, Guest};

thread_local! {
    /// The last answer of `on-event` that has something to free.
    static ANSWERED: Cell<*mut u8> = const { Cell::new(ptr::null_mut()) };
}

/// The first byte of an answer says which it is; `pass`, the first of the verdicts, is all there is of it.
const PASS: u8 = 0;

/// Frees the last answer of `on-event`. All exports share the place where answers stand, so each begins with this.
#[expect(unsafe_code, reason = "calls across the component boundary")]
pub fn free<T: Guest>() {
    let answer = ANSWERED.replace(ptr::null_mut());
    if !answer.is_null() {
        // SAFETY: it is what `on_event` answered last, nothing has been written there since, and it is freed once.
        unsafe { bindings::__post_return_on_event::<T>(answer) };
    }
}

/// The export `on-event`.
///
/// # Safety
/// The arguments are what the broker has passed.
#[expect(unsafe_code, reason = "calls across the component boundary")]
pub unsafe fn on_event<T: Guest>(
    socket: i64,
    rule: i32,
    traits: i32,
    args: *mut u8,
    len: usize,
) -> *mut u8 {
    free::<T>();
    // SAFETY: the broker's arguments are handed on, and the answer is readable until the next call.
    unsafe {
        let answer = bindings::_export_on_event_cabi::<T>(socket, rule, traits, args, len);
        if *answer != PASS {
            ANSWERED.set(answer);
        }
        answer
    }
}

/// Takes the place of the generated macro of exports.
#[doc(hidden)]
#[macro_export]
macro_rules! __exports {
    ($component:ident with_types_in $($path:tt)*) => {
        const _: () = {
            use $crate::guest::{bindings as abi, exports};

            #[unsafe(export_name = "describe")]
            unsafe extern "C" fn describe() -> *mut u8 {
                exports::free::<$component>();
                unsafe { abi::_export_describe_cabi::<$component>() }
            }

            #[unsafe(export_name = "cabi_post_describe")]
            unsafe extern "C" fn described(answer: *mut u8) {
                unsafe { abi::__post_return_describe::<$component>(answer) }
            }

            #[unsafe(export_name = "configure")]
            unsafe extern "C" fn configure(config: *mut u8, len: usize) -> *mut u8 {
                exports::free::<$component>();
                unsafe { abi::_export_configure_cabi::<$component>(config, len) }
            }

            #[unsafe(export_name = "cabi_post_configure")]
            unsafe extern "C" fn configured(answer: *mut u8) {
                unsafe { abi::__post_return_configure::<$component>(answer) }
            }

            #[unsafe(export_name = "on-connect")]
            unsafe extern "C" fn on_connect(socket: i64, auth: *mut u8, len: usize) -> *mut u8 {
                exports::free::<$component>();
                unsafe { abi::_export_on_connect_cabi::<$component>(socket, auth, len) }
            }

            #[unsafe(export_name = "cabi_post_on-connect")]
            unsafe extern "C" fn connected(answer: *mut u8) {
                unsafe { abi::__post_return_on_connect::<$component>(answer) }
            }

            #[unsafe(export_name = "on-event")]
            unsafe extern "C" fn on_event(
                socket: i64,
                rule: i32,
                traits: i32,
                args: *mut u8,
                len: usize,
            ) -> *mut u8 {
                unsafe { exports::on_event::<$component>(socket, rule, traits, args, len) }
            }

            #[unsafe(export_name = "on-subscribe")]
            unsafe extern "C" fn on_subscribe(
                socket: i64,
                rule: i32,
                room: *mut u8,
                len: usize,
            ) -> *mut u8 {
                exports::free::<$component>();
                unsafe { abi::_export_on_subscribe_cabi::<$component>(socket, rule, room, len) }
            }

            #[unsafe(export_name = "cabi_post_on-subscribe")]
            unsafe extern "C" fn subscribed(answer: *mut u8) {
                unsafe { abi::__post_return_on_subscribe::<$component>(answer) }
            }

            #[unsafe(export_name = "on-disconnect")]
            unsafe extern "C" fn on_disconnect(socket: i64, reason: i32) {
                exports::free::<$component>();
                unsafe { abi::_export_on_disconnect_cabi::<$component>(socket, reason) }
            }
        };
    };
}

/// Where the generated macro that makes a component looks for the one of its exports.
pub mod instead {
    pub use crate::__exports as __export_world_policy_cabi;
}
