//! SEV-SNP reports, by VirTEE's `sev`: ARK signs itself and the ASK, that the VCEK or VLEK, that the report.
//!
//! `sev` looks at no dates, names or uses of certificates, at no revocation lists, and at none of the VCEK's extensions. It encodes
//! the report anew before it verifies, so bytes that it does not keep are not covered. Each of the roots is offered as ARK, and
//! what came beside the VCEK or is built into `sev` as ASK; the ARK that came is not used.

use base64::{prelude::BASE64_STANDARD, Engine};
use sev::certs::snp::{builtin, ca, Certificate, Chain, Verifiable};
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser;

use crate::{refused, Opinion, Question, Refusal};

pub fn judge(question: &Question) -> Opinion {
    let report = question.role("report")?;
    let report = AttestationReport::from_bytes(report).map_err(unread)?;
    let endorsing = certificates(question, &["vcek", "vlek", "cert-chain"])?;
    let mut between = certificates(question, &["ask", "asvk", "cert-chain"])?;
    between.extend([builtin::milan::ask(), builtin::genoa::ask(), builtin::turin::ask()].into_iter().flatten());
    let anchors: Vec<Certificate> = question.roots.iter().filter_map(|der| Certificate::from_der(der).ok()).collect();
    if anchors.is_empty() || endorsing.is_empty() {
        return Err(Refusal::NotJudged("no whole chain".into()));
    }
    let given = &question.endorsements;
    if given.contains_key("vlek") && !given.contains_key("asvk") && !given.contains_key("cert-chain") {
        return Err(Refusal::NotJudged("no ASVK came, and none is built into sev".into()));
    }
    let mut last = Refusal::Refused("sev: no chain".into());
    for ark in &anchors {
        for ask in between.iter().filter(|ask| (ark, *ask).verify().is_ok()) {
            for vek in &endorsing {
                let chain = Chain { ca: ca::Chain { ark: ark.clone(), ask: ask.clone() }, vek: vek.clone() };
                match (&chain, &report).verify() {
                    Ok(()) => return Ok("sev".into()),
                    Err(error) => last = refused("sev")(error),
                }
            }
        }
    }
    Err(last)
}

/// Reports of version 2 name no product; `sev` tells it by the chip's id, which may be masked.
fn unread(error: std::io::Error) -> Refusal {
    match format!("{error:?}") {
        text if text.contains("MaskedChipId") => Refusal::NotJudged(format!("sev: {text}")),
        text => Refusal::Refused(format!("sev: report: {text}")),
    }
}

/// Those of the roles, in DER or PEM.
fn certificates(question: &Question, roles: &[&str]) -> Result<Vec<Certificate>, Refusal> {
    let found = roles.iter().filter_map(|role| question.endorsements.get(*role));
    found.flat_map(|data| ders(data)).map(|der| Certificate::from_der(&der).map_err(refused("sev: certificate"))).collect()
}

/// A file's certificates; PEM is split here, as `sev` reads only one.
fn ders(data: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(data);
    if !text.contains("-----BEGIN") {
        return vec![data.to_vec()];
    }
    let blocks = text.split("-----BEGIN CERTIFICATE-----").skip(1);
    let bodies = blocks.filter_map(|block| block.split("-----END").next());
    bodies.map(|body| BASE64_STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap_or_default()).collect()
}
