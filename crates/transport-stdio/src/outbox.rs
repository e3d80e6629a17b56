//! What is on its way to a server's standard input.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::unix::pipe::Sender;
use tokio::sync::Notify;

/// How many lines go into one system call.
const MAX_SLICES: usize = 64;

/// A caller writes others' lines too, but not for ever.
const MAX_ROUNDS: usize = 32;

/// What answers and cancellations may take beyond the limit that requests keep to.
const RESERVE: usize = 1024 * 1024;

/// Lines that wait to be written.
///
/// Whoever has a line writes it, without waiting and without another task, as long as the pipe takes
/// it. Lines that come while somebody writes are written by that one, together: nobody waits for a lock
/// that is held across a system call. What the pipe does not take is left to [`run`](Self::run). Since
/// [`push`](Self::push) never waits, a caller that is dropped leaves no half line.
#[derive(Debug)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    changed: Notify,
    limit: usize,
}

#[derive(Debug)]
struct State {
    /// `None` once closed.
    pipe: Option<Arc<Sender>>,
    lines: VecDeque<Vec<u8>>,
    /// How much of the first line is written.
    written: usize,
    /// How many bytes wait.
    waiting: usize,
    turn: Turn,
    /// No line is taken any more.
    closing: bool,
    /// The pipe's own error.
    broken: Option<io::ErrorKind>,
}

/// Whose turn it is to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Nothing waits: that of the next one who has a line.
    Nobody,
    /// Somebody is writing now, without the lock.
    Caller,
    /// The pipe is full: that of [`Outbox::run`].
    Writer,
}

/// Why a line was not taken. The server has surely not seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Too much waits already.
    Full,
    /// The connection ends, or the server has closed its input.
    Closed,
}

/// What a line is, for the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    /// A request: refused when the outbox is full.
    Request,
    /// An answer, a cancellation: has some room of its own.
    Control,
}

impl Outbox {
    /// An empty one in front of `pipe` where `limit` bytes may wait.
    pub(crate) fn new(pipe: Sender, limit: usize) -> Self {
        let state = State {
            pipe: Some(Arc::new(pipe)),
            lines: VecDeque::new(),
            written: 0,
            waiting: 0,
            turn: Turn::Nobody,
            closing: false,
            broken: None,
        };
        Self { state: Mutex::new(state), changed: Notify::new(), limit }
    }

    /// Takes one line, its end included, and writes what the pipe takes at once.
    pub(crate) fn push(&self, line: Vec<u8>, priority: Priority) -> Result<(), Refused> {
        debug_assert_eq!(memchr::memchr(b'\n', &line), Some(line.len() - 1));
        let limit = match priority {
            Priority::Request => self.limit,
            Priority::Control => self.limit.saturating_add(RESERVE),
        };
        let mut state = self.lock();
        if state.closing || state.broken.is_some() {
            return Err(Refused::Closed);
        }
        if state.waiting > 0 && state.waiting.saturating_add(line.len()) > limit {
            return Err(Refused::Full);
        }
        state.waiting += line.len();
        state.lines.push_back(line);
        if state.turn != Turn::Nobody {
            // Somebody is on it.
            return Ok(());
        }
        state.turn = Turn::Caller;
        self.take_turn(state)
    }

    /// Writes, and tells [`run`](Self::run) what it must know of how that ended. The turn must be the caller's
    /// own.
    fn take_turn<'a>(&'a self, state: MutexGuard<'a, State>) -> Result<(), Refused> {
        let state = self.write(state);
        let (done, broken) = (state.turn == Turn::Nobody, state.broken.is_some());
        // Closed meanwhile: the word of that came while this one still wrote.
        let closing = state.closing;
        drop(state);
        if broken || closing || !done {
            self.changed.notify_one();
        }
        if broken { Err(Refused::Closed) } else { Ok(()) }
    }

    /// Writes what waits until nothing does or the pipe takes no more. The turn must be the caller's own.
    fn write<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        for _ in 0..MAX_ROUNDS {
            let Some(pipe) = state.pipe.clone() else { return state };
            let (mut lines, written) = (std::mem::take(&mut state.lines), state.written);
            drop(state);
            let outcome = try_write(&pipe, &lines, written);
            state = self.lock();
            if state.pipe.is_none() {
                // Abandoned meanwhile.
                return state;
            }
            lines.append(&mut state.lines);
            state.lines = lines;
            match outcome {
                Ok(count) => state.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    state.broken = Some(error.kind());
                    state.clear();
                    state.pipe = None;
                    return state;
                }
            }
            if state.lines.is_empty() {
                state.turn = Turn::Nobody;
                state.close_if_done();
                return state;
            }
        }
        state.turn = Turn::Writer;
        state
    }

    /// Writes what could not be written at once, until the outbox is closed and empty.
    ///
    /// # Errors
    /// Where the server has closed its input.
    pub(crate) async fn run(&self) -> io::Result<()> {
        loop {
            let pipe = {
                let state = self.lock();
                if let Some(kind) = state.broken {
                    return Err(kind.into());
                }
                let Some(pipe) = &state.pipe else { return Ok(()) };
                (state.turn == Turn::Writer).then(|| Arc::clone(pipe))
            };
            let Some(pipe) = pipe else {
                self.changed.notified().await;
                continue;
            };
            pipe.writable().await?;
            let state = self.lock();
            drop(self.write(state));
        }
    }

    /// Takes no line any more; the pipe is closed when what waits is written.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closing = true;
        state.close_if_done();
        drop(state);
        self.changed.notify_one();
    }

    /// Closes the pipe now, whatever waits. The task in [`run`](Self::run) must have ended.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.closing = true;
        state.clear();
        state.pipe = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn advance(&mut self, count: usize) {
        self.written += count;
        while let Some(first) = self.lines.front() {
            if self.written < first.len() {
                return;
            }
            self.written -= first.len();
            self.waiting -= first.len();
            self.lines.pop_front();
        }
    }

    fn close_if_done(&mut self) {
        if self.closing && self.turn == Turn::Nobody {
            self.pipe = None;
        }
    }

    fn clear(&mut self) {
        self.lines = VecDeque::new();
        self.written = 0;
        self.waiting = 0;
        self.turn = Turn::Nobody;
    }
}

/// Writes as much as the pipe takes of these lines, of whose first `written` bytes are gone already.
fn try_write(pipe: &Sender, lines: &VecDeque<Vec<u8>>, written: usize) -> io::Result<usize> {
    if let (Some(only), 1) = (lines.front(), lines.len()) {
        return pipe.try_write(&only[written..]);
    }
    let mut slices: Vec<_> = lines.iter().take(MAX_SLICES).map(|line| IoSlice::new(line)).collect();
    if let Some(first) = slices.first_mut() {
        first.advance(written);
    }
    pipe.try_write_vectored(&slices)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::unix::pipe;

    use super::*;

    fn line(byte: u8, length: usize) -> Vec<u8> {
        let mut line = vec![byte; length - 1];
        line.push(b'\n');
        line
    }

    #[tokio::test]
    async fn lines_come_out_whole_and_in_order_although_the_pipe_is_small() {
        let (sender, mut receiver) = pipe::pipe().expect("a pipe");
        let outbox = Arc::new(Outbox::new(sender, usize::MAX));
        let writer = tokio::spawn({
            let outbox = Arc::clone(&outbox);
            async move { outbox.run().await }
        });
        let mut expected = Vec::new();
        for index in 0..50_u8 {
            let line = line(b'a' + index % 26, 1 + usize::from(index) * 997);
            expected.extend_from_slice(&line);
            outbox.push(line, Priority::Request).expect("room");
        }
        outbox.close();
        assert_eq!(outbox.push(line(b'x', 2), Priority::Control), Err(Refused::Closed));
        let mut text = Vec::new();
        receiver.read_to_end(&mut text).await.expect("readable");
        assert!(text == expected);
        writer.await.expect("no panic").expect("written");
    }

    #[tokio::test]
    async fn closing_while_somebody_writes_ends_the_writer() {
        let (sender, mut receiver) = pipe::pipe().expect("a pipe");
        let outbox = Arc::new(Outbox::new(sender, usize::MAX));
        let writer = tokio::spawn({
            let outbox = Arc::clone(&outbox);
            async move { outbox.run().await }
        });
        {
            // Somebody has begun to write.
            let mut state = outbox.lock();
            state.turn = Turn::Caller;
            state.waiting = 2;
            state.lines.push_back(line(b'a', 2));
        }
        outbox.close();
        // The writer hears of it, sees that somebody writes, and waits again.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(!writer.is_finished());
        outbox.take_turn(outbox.lock()).expect("written");
        let ended = tokio::time::timeout(std::time::Duration::from_secs(20), writer).await;
        ended.expect("it ends").expect("no panic").expect("written");
        let mut text = Vec::new();
        receiver.read_to_end(&mut text).await.expect("readable");
        assert_eq!(text, b"a\n");
    }

    #[tokio::test]
    async fn what_waits_is_bounded() {
        let (sender, _receiver) = pipe::pipe().expect("a pipe");
        let outbox = Outbox::new(sender, 1000);
        outbox.push(line(b'a', 1_000_000), Priority::Request).expect("one always has room");
        assert_eq!(outbox.push(line(b'b', 2), Priority::Request), Err(Refused::Full));
        outbox.push(line(b'c', 50), Priority::Control).expect("room of its own");
        assert_eq!(outbox.push(line(b'd', 2_000_000), Priority::Control), Err(Refused::Full));
    }

    #[tokio::test]
    async fn a_closed_input_is_told() {
        let (sender, receiver) = pipe::pipe().expect("a pipe");
        let outbox = Outbox::new(sender, 1000);
        drop(receiver);
        // The first attempt may only find out whether the pipe is ready.
        let _ = outbox.push(line(b'a', 2), Priority::Request);
        assert!(outbox.run().await.is_err());
        assert_eq!(outbox.push(line(b'b', 2), Priority::Request), Err(Refused::Closed));
    }
}
