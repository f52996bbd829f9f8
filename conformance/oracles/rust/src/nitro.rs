//! Nitro and NitroTPM documents, by two parties; the stricter word counts.
//!
//! * `attestation-doc-validation` reads a document and its structure, and `aws-nitro-enclaves-cose` (AWS) verifies the COSE_Sign1.
//!   Its own chain check pins AWS's root and the machine's clock, so the call it makes there, of `webpki`, is made here with the
//!   roots and the time of the question.
//! * `nitro_attest` takes the time, but pins AWS's root: it has no opinion on documents under another of the given roots.
//!
//! Neither knows NitroTPM's `nitrotpm_pcrs`: of these documents signature and chain are judged, not the structure.

use attestation_doc_validation::attestation_doc::decode_attestation_document;
use aws_nitro_enclaves_cose::{crypto::Openssl, CoseSign1};
use nitro_attest::{Error, UnparsedAttestationDoc};
use openssl::x509::X509;
use serde::Deserialize;
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, SignatureAlgorithm, Time, TlsServerTrustAnchors, TrustAnchor};

use crate::{refused, Opinion, Question, Refusal};

static ALGORITHMS: &[&SignatureAlgorithm] = &[&webpki::ECDSA_P384_SHA384, &webpki::ECDSA_P256_SHA256];

#[derive(Deserialize)]
struct Certificates {
    certificate: ByteBuf,
    cabundle: Vec<ByteBuf>,
}

pub fn judge(question: &Question) -> Opinion {
    let document = question.role("document")?;
    let (message, read) = decode_attestation_document(document).map_err(refused("attestation-doc-validation"))?;
    chained_and_signed(question, &message, &read.certificate, &read.cabundle)?;
    match second(question, document) {
        Err(Refusal::NotJudged(why)) => Ok(why),
        other => other,
    }
}

pub fn judge_tpm(question: &Question) -> Opinion {
    let message: CoseSign1 = serde_cbor::from_slice(question.role("document")?).map_err(refused("aws-nitro-enclaves-cose"))?;
    let payload = message.get_payload::<Openssl>(None).map_err(refused("aws-nitro-enclaves-cose"))?;
    let read: Certificates = serde_cbor::from_slice(&payload).map_err(refused("payload"))?;
    chained_and_signed(question, &message, &read.certificate, &read.cabundle)?;
    Ok("signature and chain only".into())
}

fn chained_and_signed(question: &Question, message: &CoseSign1, leaf: &[u8], bundle: &[ByteBuf]) -> Result<(), Refusal> {
    let anchors: Vec<TrustAnchor> = question.roots.iter().filter_map(|root| TrustAnchor::try_from_cert_der(root).ok()).collect();
    let between: Vec<&[u8]> = bundle.iter().map(|each| each.as_slice()).collect();
    let now = Time::from_seconds_since_unix_epoch(question.now.unix_timestamp().max(0) as u64);
    EndEntityCert::try_from(leaf)
        .and_then(|end| end.verify_is_valid_tls_server_cert(ALGORITHMS, &TlsServerTrustAnchors(&anchors), &between, now))
        .map_err(refused("webpki"))?;
    let key = X509::from_der(leaf).and_then(|certificate| certificate.public_key()).map_err(refused("openssl"))?;
    match message.verify_signature::<Openssl>(&key).map_err(refused("aws-nitro-enclaves-cose"))? {
        true => Ok(()),
        false => Err(Refusal::Refused("aws-nitro-enclaves-cose: signature".into())),
    }
}

/// `nitro_attest`, where the root that it pins is the one that is asked about.
fn second(question: &Question, document: &[u8]) -> Opinion {
    let known = |print: &str| question.roots.iter().any(|root| fingerprint(root) == print);
    match UnparsedAttestationDoc::from(document).parse_and_verify(question.now) {
        Ok(_) => Ok("both".into()),
        Err(Error::CertificateRootInvalid { have, want }) if known(&have) || !known(&want) => {
            Err(Refusal::NotJudged("the first alone: nitro_attest pins AWS's root".into()))
        }
        Err(error) => Err(refused("nitro_attest")(error)),
    }
}

fn fingerprint(der: &[u8]) -> String {
    Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect()
}
