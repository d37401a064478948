//! The little of WASI that the Rust standard library asks for even where it is not used.
//!
//! Ready-made WASI hosts block on their own runtime, which panics inside a reactor; these never block. Standard
//! output and error go to the log, bounded; the environment is empty, there is no input, random numbers are
//! random. A policy that wants more (files, sockets, clocks) does not load, and the error names what it wants.

use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut};

use super::host::{Host, Stream};

/// `wasi:io/error`: made by no function here, but named by the signatures of the streams.
struct IoError;
/// `wasi:io/poll`: the same.
struct Pollable;
/// `wasi:io/streams/input-stream`
struct Input;
/// `wasi:io/streams/output-stream`; its representation says which of the two it is.
struct Output;

/// `stream-error`, of which only `closed` is ever answered.
#[derive(
    wasmtime::component::ComponentType, wasmtime::component::Lower, wasmtime::component::Lift,
)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

type Call<'a> = StoreContextMut<'a, Host>;

/// How many bytes a guest may offer to a stream at once; more are a mistake of the guest.
const CHUNK: u64 = 4096;

pub(super) fn add_to_linker(linker: &mut Linker<Host>) -> Result<()> {
    error_and_poll(linker)?;
    streams(&mut linker.instance("wasi:io/streams@0.2.0")?)?;
    cli(linker)?;
    random(linker)
}

fn error_and_poll(linker: &mut Linker<Host>) -> Result<()> {
    let mut error = linker.instance("wasi:io/error@0.2.0")?;
    error.resource("error", ResourceType::host::<IoError>(), |_, _| Ok(()))?;
    error.func_wrap(
        "[method]error.to-debug-string",
        |_: Call<'_>, (_,): (Resource<IoError>,)| Ok((String::new(),)),
    )?;
    let mut poll = linker.instance("wasi:io/poll@0.2.0")?;
    poll.resource("pollable", ResourceType::host::<Pollable>(), |_, _| Ok(()))?;
    poll.func_wrap(
        "[method]pollable.block",
        |_: Call<'_>, (_,): (Resource<Pollable>,)| Ok(()),
    )?;
    poll.func_wrap(
        "[method]pollable.ready",
        |_: Call<'_>, (_,): (Resource<Pollable>,)| Ok((true,)),
    )
}

fn streams(io: &mut LinkerInstance<'_, Host>) -> Result<()> {
    io.resource("input-stream", ResourceType::host::<Input>(), |_, _| Ok(()))?;
    io.resource("output-stream", ResourceType::host::<Output>(), |_, _| {
        Ok(())
    })?;
    for name in ["read", "blocking-read"] {
        io.func_wrap(
            &format!("[method]input-stream.{name}"),
            |_: Call<'_>, (_, _): (Resource<Input>, u64)| {
                Ok((Err::<Vec<u8>, _>(StreamError::Closed),))
            },
        )?;
    }
    io.func_wrap(
        "[method]input-stream.subscribe",
        |_: Call<'_>, (_,): (Resource<Input>,)| Ok((Resource::<Pollable>::new_own(0),)),
    )?;
    io.func_wrap(
        "[method]output-stream.check-write",
        |_: Call<'_>, (_,): (Resource<Output>,)| Ok((Ok::<_, StreamError>(CHUNK),)),
    )?;
    for name in ["write", "blocking-write-and-flush"] {
        io.func_wrap(
            &format!("[method]output-stream.{name}"),
            |mut call: Call<'_>, (out, bytes): (Resource<Output>, Vec<u8>)| {
                if bytes.len() as u64 > CHUNK {
                    return Err(wasmtime::Error::msg("wrote more at once than was offered"));
                }
                let stream = if out.rep() == Stream::Stdout as u32 {
                    Stream::Stdout
                } else {
                    Stream::Stderr
                };
                call.data_mut().print(stream, &bytes);
                Ok((Ok::<_, StreamError>(()),))
            },
        )?;
    }
    for name in ["flush", "blocking-flush"] {
        io.func_wrap(
            &format!("[method]output-stream.{name}"),
            |_: Call<'_>, (_,): (Resource<Output>,)| Ok((Ok::<_, StreamError>(()),)),
        )?;
    }
    io.func_wrap(
        "[method]output-stream.subscribe",
        |_: Call<'_>, (_,): (Resource<Output>,)| Ok((Resource::<Pollable>::new_own(0),)),
    )
}

fn cli(linker: &mut Linker<Host>) -> Result<()> {
    let mut environment = linker.instance("wasi:cli/environment@0.2.0")?;
    environment.func_wrap("get-environment", |_: Call<'_>, (): ()| {
        Ok((Vec::<(String, String)>::new(),))
    })?;
    environment.func_wrap("get-arguments", |_: Call<'_>, (): ()| {
        Ok((Vec::<String>::new(),))
    })?;
    environment.func_wrap("initial-cwd", |_: Call<'_>, (): ()| Ok((None::<String>,)))?;
    linker.instance("wasi:cli/exit@0.2.0")?.func_wrap(
        "exit",
        |_: Call<'_>, (_,): (Result<(), ()>,)| -> Result<()> {
            Err(wasmtime::Error::msg("the policy called exit"))
        },
    )?;
    linker
        .instance("wasi:cli/stdin@0.2.0")?
        .func_wrap("get-stdin", |_: Call<'_>, (): ()| {
            Ok((Resource::<Input>::new_own(0),))
        })?;
    linker
        .instance("wasi:cli/stdout@0.2.0")?
        .func_wrap("get-stdout", |_: Call<'_>, (): ()| {
            Ok((Resource::<Output>::new_own(Stream::Stdout as u32),))
        })?;
    linker
        .instance("wasi:cli/stderr@0.2.0")?
        .func_wrap("get-stderr", |_: Call<'_>, (): ()| {
            Ok((Resource::<Output>::new_own(Stream::Stderr as u32),))
        })?;
    terminals(linker)
}

/// The standard library asks whether its streams are terminals; they never are.
fn terminals(linker: &mut Linker<Host>) -> Result<()> {
    struct Terminal;
    linker.instance("wasi:cli/terminal-input@0.2.0")?.resource(
        "terminal-input",
        ResourceType::host::<Terminal>(),
        |_, _| Ok(()),
    )?;
    linker
        .instance("wasi:cli/terminal-output@0.2.0")?
        .resource(
            "terminal-output",
            ResourceType::host::<Terminal>(),
            |_, _| Ok(()),
        )?;
    for name in ["stdin", "stdout", "stderr"] {
        linker
            .instance(&format!("wasi:cli/terminal-{name}@0.2.0"))?
            .func_wrap(&format!("get-terminal-{name}"), |_: Call<'_>, (): ()| {
                Ok((None::<Resource<Terminal>>,))
            })?;
    }
    Ok(())
}

fn random(linker: &mut Linker<Host>) -> Result<()> {
    let mut seed = linker.instance("wasi:random/insecure-seed@0.2.0")?;
    for name in ["insecure-seed", "get-insecure-seed"] {
        seed.func_wrap(name, |_: Call<'_>, (): ()| {
            Ok(((rand::random::<u64>(), rand::random::<u64>()),))
        })?;
    }
    let mut random = linker.instance("wasi:random/random@0.2.0")?;
    random.func_wrap("get-random-u64", |_: Call<'_>, (): ()| {
        Ok((rand::random::<u64>(),))
    })?;
    random.func_wrap("get-random-bytes", |_: Call<'_>, (len,): (u64,)| {
        // Bounded, so that a guest cannot make the host allocate what it may not allocate itself.
        if len > CHUNK {
            return Err(wasmtime::Error::msg(
                "more random bytes than a policy may ask for at once",
            ));
        }
        let mut bytes = vec![0_u8; len as usize];
        rand::fill(&mut bytes[..]);
        Ok((bytes,))
    })
}
