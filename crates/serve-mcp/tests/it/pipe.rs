//! The stdio door, line by line.

use std::time::Duration;

use serve_mcp::{StdioClient, serve_stdio};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;

use crate::raw::{initialize, request};
use crate::rig::{Rig, in_time};
use crate::wire::LEGACY;

/// How long requests under way have at the end of input.
const GRACE: Duration = Duration::from_millis(200);

/// One connection.
pub struct Pipe {
    input: Option<WriteHalf<DuplexStream>>,
    output: BufReader<ReadHalf<DuplexStream>>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Pipe {
    pub fn open(rig: &Rig) -> Self {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (door, stop) = (rig.door.clone(), rig.stop.clone());
        let serving = tokio::spawn(async move {
            serve_stdio(&door, StdioClient::default(), tokio::io::split(theirs), &stop, GRACE).await
        });
        let (output, input) = tokio::io::split(ours);
        Self { input: Some(input), output: BufReader::new(output), serving }
    }

    /// One that has been greeted.
    pub async fn legacy(rig: &Rig) -> Self {
        let mut pipe = Self::open(rig);
        pipe.send(&request(0, "initialize", &initialize(LEGACY))).await;
        assert!(pipe.line().await.contains("protocolVersion"));
        pipe
    }

    pub async fn send(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        in_time("room in the pipe", input.write_all(format!("{line}\n").as_bytes())).await.unwrap();
    }

    /// Sends a line, where there is room within a moment.
    pub async fn try_send(&mut self, line: &str) -> bool {
        let text = format!("{line}\n");
        let writing = self.input.as_mut().unwrap().write_all(text.as_bytes());
        tokio::time::timeout(Duration::from_millis(500), writing).await.is_ok()
    }

    /// The next line.
    pub async fn line(&mut self) -> String {
        let mut line = String::new();
        in_time("a line", self.output.read_line(&mut line)).await.unwrap();
        assert!(line.ends_with('\n'), "{line:.200}");
        line.trim_end_matches('\n').to_owned()
    }

    /// Everything to the end of output.
    pub async fn rest(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        while in_time("the end of output", self.output.read_line(&mut line)).await.unwrap() > 0 {
            lines.push(std::mem::take(&mut line));
        }
        lines
    }

    /// Ends the input.
    pub async fn shut(&mut self) {
        self.input.take().unwrap().shutdown().await.unwrap();
    }

    pub fn has_ended(&self) -> bool {
        self.serving.is_finished()
    }

    /// Ends the input and waits for the end of all.
    pub async fn end(mut self) {
        self.shut().await;
        self.rest().await;
        in_time("the end of the connection", self.serving).await.unwrap().unwrap();
    }
}
