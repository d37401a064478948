use std::process::Command;

use super::*;

/// Set for the process that is meant to end.
const CHILD: &str = "SLUICE_TEST_PANIC_ON";

/// Runs this very test again in a process of its own, in which a thread of that name has a task that panics.
fn exit_code_of_a_panic_on(thread: &str) -> Option<i32> {
    let status = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "app::tests::a_panic_on_a_reactor_ends_the_process",
        ])
        .env(CHILD, thread)
        .output()
        .unwrap()
        .status;
    status.code()
}

/// What a connection's task does when it panics: its runtime catches that.
fn panic_in_a_task() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let task = runtime.spawn(async { panic!("asked to") });
    assert!(runtime.block_on(task).is_err());
}

#[test]
fn a_panic_on_a_reactor_ends_the_process() {
    if let Ok(name) = std::env::var(CHILD) {
        end_with_reactors();
        let thread = std::thread::Builder::new().name(name);
        thread.spawn(panic_in_a_task).unwrap().join().unwrap();
        return;
    }
    let reactor = format!("{}-0", edge::reactor::THREAD_NAME);
    assert_eq!(exit_code_of_a_panic_on(&reactor), Some(INTERNAL));
    // Elsewhere a task may fail without taking the node with it.
    assert_eq!(exit_code_of_a_panic_on("control"), Some(0));
}
