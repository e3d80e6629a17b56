//! The model, and its turn on the processor.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use gateway_core::{Error, ErrorKind, Result};
use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::task;

use super::bert::Bert;
use super::folder::{invalid, read_model, read_vocabulary};
use crate::calibrate::Calibration;
use crate::document::bounded;
use crate::embedder::{Embedder, Role, Words};
use crate::vector::Vector;

/// How many tokens of a text are read, as in the model's own settings.
const MAX_TOKENS: usize = 128;

/// How much of a text is read, in bytes: more than [`MAX_TOKENS`] words take.
const MAX_TEXT: usize = 4 * 1024;

/// all-MiniLM-L6-v2, or another sentence model of the BERT family in ONNX whose vectors are the mean of those of the
/// tokens. About ten milliseconds for a query.
///
/// Texts are run one after the other, each alone: a model of bytes rounds by what is run with it, and equal texts
/// must have equal vectors. While tools are embedded, a query waits for one text, not for all of them.
pub struct MiniLm {
    session: Arc<Session>,
    id: String,
    /// Whose turn it is.
    turn: Arc<Semaphore>,
}

struct Session {
    model: Model,
    bert: Bert,
    inputs: Vec<(NodeId, Input)>,
    output: NodeId,
    threads: Arc<ThreadPool>,
}

/// What the model wants to know of a text.
#[derive(Clone, Copy)]
enum Input {
    Tokens,
    /// Which tokens count: all.
    Mask,
    /// Which of two texts a token is of: the first.
    Types,
}

impl MiniLm {
    /// The model in `folder`: `model.onnx` (or the only `*.onnx`), and `vocab.txt` or `tokenizer.json`. It runs on
    /// `threads` threads; 0 counts as 1.
    ///
    /// Reads tens of megabytes and takes about a second: call it where that may block.
    ///
    /// # Errors
    /// `InvalidRequest` naming the file that is missing or wrong, and where to get it.
    pub fn load(folder: impl AsRef<Path>, threads: usize) -> Result<Self> {
        let folder = folder.as_ref();
        let bert = read_vocabulary(folder)?;
        let bytes = read_model(folder)?;
        let id = format!("minilm-{:.16}", hex(&Sha256::digest(&bytes)));
        // From memory, so that the file cannot name others.
        let model = ModelOptions::with_all_ops()
            .prepack_weights(true)
            .load(bytes)
            .map_err(|error| invalid(folder, &format!("the model cannot be read: {error}")))?;
        let mut inputs = Vec::new();
        for node in model.input_ids() {
            let name = model.node_info(*node).and_then(|info| info.name().map(str::to_owned)).unwrap_or_default();
            inputs.push(match name.as_str() {
                "input_ids" => (*node, Input::Tokens),
                "attention_mask" => (*node, Input::Mask),
                "token_type_ids" => (*node, Input::Types),
                _ => return Err(invalid(folder, &format!("the model has an input `{name}`, which BERT has not"))),
            });
        }
        let output = model.output_ids().first().copied();
        let output = output.ok_or_else(|| invalid(folder, "the model has no output"))?;
        let threads = Arc::new(ThreadPool::with_num_threads(threads.max(1)));
        let session = Arc::new(Session { model, bert, inputs, output, threads });
        let made = Self { session, id, turn: Arc::new(Semaphore::new(1)) };
        // What cannot be run at all is better known now.
        made.session.vector("test")?;
        Ok(made)
    }
}

impl Session {
    fn vector(&self, text: &str) -> Result<Option<Vector>> {
        let Some(tokens) = self.bert.tokens(bounded(text, MAX_TEXT), MAX_TOKENS) else { return Ok(None) };
        let shape = [1, tokens.len()];
        let inputs = self.inputs.iter().map(|(node, input)| {
            let values: Vec<i32> = match input {
                Input::Tokens => tokens.iter().map(|token| token.cast_signed()).collect(),
                Input::Mask => vec![1; tokens.len()],
                Input::Types => vec![0; tokens.len()],
            };
            Ok((*node, Value::from_shape(&shape, values).map_err(failed)?.into()))
        });
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.threads)));
        let outputs = self.model.run(inputs.collect::<Result<_>>()?, &[self.output], Some(options)).map_err(failed)?;
        let output = outputs.into_iter().next().ok_or_else(|| failed("there is no output"))?;
        let ([_, count, dimensions], values) = output.into_shape_vec::<f32, 3>().map_err(failed)?;
        if count != tokens.len() || dimensions == 0 {
            return Err(failed("the output has not one vector per token"));
        }
        let mut sum = vec![0.0; dimensions];
        for token in values.chunks_exact(dimensions) {
            sum.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
        }
        Ok(Vector::new(sum))
    }
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Internal, "embed: the model in this process failed").with_source(source)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[async_trait]
impl Embedder for MiniLm {
    fn id(&self) -> &str {
        &self.id
    }

    async fn embed(&self, texts: &[&str], _: Role) -> Result<Vec<Option<Vector>>> {
        let mut vectors = Vec::with_capacity(texts.len());
        for text in texts {
            let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(failed)?;
            let (session, text) = (Arc::clone(&self.session), bounded(text, MAX_TEXT).to_owned());
            let run = move || {
                let vector = session.vector(&text);
                // Only now, and not where the caller has gone meanwhile.
                drop(turn);
                vector
            };
            vectors.push(task::spawn_blocking(run).await.map_err(failed)??);
        }
        Ok(vectors)
    }

    fn calibration(&self) -> Calibration {
        Calibration::MINILM
    }

    fn words(&self) -> Option<&dyn Words> {
        None
    }
}

impl fmt::Debug for MiniLm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MiniLm").field("id", &self.id).finish_non_exhaustive()
    }
}
