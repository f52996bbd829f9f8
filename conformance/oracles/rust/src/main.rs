//! Third-party verifiers in Rust: questions on stdin, opinions on stdout, a JSON line each.
//!
//! A question is `{"id", "kind", "evidence": {role: base64}, "endorsements": {role: base64}, "now": RFC 3339, "roots": [base64]}`,
//! an opinion `{"id", "accepted": true, false or null, "why"}`. `accepted` says whether, by their code alone, the evidence is
//! genuine under the roots at that time: signatures and chains, no firmware levels, no measurements. Null is "cannot judge this".
//!
//! Left to the rooms beside this one: which library judges what, and what it leaves out.

mod cca;
mod nitro;
mod snp;

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::thread;

use base64::{prelude::BASE64_STANDARD, Engine};
use serde::{Deserialize, Serialize};
use time::{format_description::well_known::Rfc3339, OffsetDateTime};

const STACK: usize = 64 << 20; // bytes; deep CBOR should meet a limit of theirs, not the end of the stack
const WHY: usize = 300; // characters that are kept of an error

/// What stopped acceptance.
pub enum Refusal {
    /// The third party says no.
    Refused(String),
    /// It has no opinion on this input.
    NotJudged(String),
}

pub type Opinion = Result<String, Refusal>;

/// An error of theirs as a refusal.
pub fn refused<E: std::fmt::Debug>(who: &'static str) -> impl Fn(E) -> Refusal {
    move |error| Refusal::Refused(format!("{who}: {error:?}"))
}

#[derive(Deserialize)]
struct Line {
    id: String,
    kind: String,
    evidence: HashMap<String, String>,
    #[serde(default)]
    endorsements: HashMap<String, String>,
    now: String,
    roots: Vec<String>,
}

/// A question with its base64 undone.
pub struct Question {
    pub evidence: HashMap<String, Vec<u8>>,
    pub endorsements: HashMap<String, Vec<u8>>,
    pub now: OffsetDateTime,
    pub roots: Vec<Vec<u8>>,
}

#[derive(Serialize)]
struct Answer {
    id: String,
    accepted: Option<bool>,
    why: String,
}

impl Question {
    fn new(line: &Line) -> Result<Self, String> {
        Ok(Self {
            evidence: decode_all(&line.evidence)?,
            endorsements: decode_all(&line.endorsements)?,
            now: OffsetDateTime::parse(&line.now, &Rfc3339).map_err(|error| error.to_string())?,
            roots: line.roots.iter().map(|text| decode(text)).collect::<Result<_, _>>()?,
        })
    }

    /// One role of the evidence; without it there is nothing to judge.
    pub fn role(&self, name: &str) -> Result<&[u8], Refusal> {
        let found = self.evidence.get(name).map(Vec::as_slice);
        found.ok_or_else(|| Refusal::NotJudged(format!("no {name}")))
    }
}

fn decode(text: &str) -> Result<Vec<u8>, String> {
    BASE64_STANDARD.decode(text).map_err(|error| error.to_string())
}

fn decode_all(texts: &HashMap<String, String>) -> Result<HashMap<String, Vec<u8>>, String> {
    texts.iter().map(|(role, text)| Ok((role.clone(), decode(text)?))).collect()
}

fn judge(kind: &str, question: &Question) -> Opinion {
    match kind {
        "nitro" => nitro::judge(question),
        "nitrotpm" => nitro::judge_tpm(question),
        "cca" => cca::judge(question),
        "snp" => snp::judge(question),
        _ => Err(Refusal::NotJudged(format!("no verifier of {kind} here"))),
    }
}

static PANIC: Mutex<String> = Mutex::new(String::new()); // where theirs panicked, for the answer

fn opinion(text: &str) -> Answer {
    let line: Line = match serde_json::from_str(text) {
        Ok(line) => line,
        Err(error) => return Answer { id: String::new(), accepted: None, why: format!("no question: {error}") },
    };
    let result = match Question::new(&line) {
        Ok(question) => panic::catch_unwind(AssertUnwindSafe(|| judge(&line.kind, &question))).unwrap_or_else(|_| {
            Err(Refusal::Refused(format!("crash: {}", PANIC.lock().map(|text| text.clone()).unwrap_or_default())))
        }),
        Err(error) => Err(Refusal::NotJudged(format!("no question: {error}"))),
    };
    let (accepted, why) = match result {
        Ok(why) => (Some(true), why),
        Err(Refusal::Refused(why)) => (Some(false), why),
        Err(Refusal::NotJudged(why)) => (None, why),
    };
    Answer { id: line.id, accepted, why: why.chars().take(WHY).collect() }
}

fn answer_all() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        serde_json::to_writer(&mut out, &opinion(&line?))?;
        out.write_all(b"\n")?;
        out.flush()?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    panic::set_hook(Box::new(|info| {
        if let Ok(mut text) = PANIC.lock() {
            let place = info.location().map(|place| place.file().rsplit_once("/src/").map_or("", |(_, file)| file));
            *text = format!("{} ({})", info.payload_as_str().unwrap_or("panic"), place.unwrap_or_default());
        }
    }));
    let worker = thread::Builder::new().stack_size(STACK).spawn(answer_all)?;
    worker.join().unwrap_or_else(|_| Err(io::Error::other("the worker is gone")))
}
