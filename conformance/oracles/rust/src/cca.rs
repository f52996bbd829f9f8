//! Arm CCA tokens, by Veraison's `ccatoken`: both signatures, and the binding of the realm's key to the platform's challenge.
//!
//! The roots are platform keys as SubjectPublicKeyInfo; `ccatoken` wants them as JWK in a store, found by instance, so each is
//! offered as the key of the token's instance. It judges no time: neither tokens nor keys have one. Where the binding fails it says
//! so in a vector that it then partly overwrites, so every tier is looked at. It knows tokens as of RMM 1.0 (one profile, tag 399,
//! a bare point of P-384 as the realm's key), and has no opinion on newer ones.

use base64::{prelude::BASE64_URL_SAFE_NO_PAD, Engine};
use ccatoken::{store::MemoTrustAnchorStore, token::Evidence};
use ear::{claim, TrustVector};
use openssl::{bn::BigNumContext, ec::EcKey, error::ErrorStack, nid::Nid};
use serde_json::{json, Value};

use crate::{refused, Opinion, Question, Refusal};

const NEWER: [&str; 3] = ["unknown profile tag:arm.com,", "expecting tag 399, got 907", "public-key: expecting 97 bytes"]; // its words for them

pub fn judge(question: &Question) -> Opinion {
    let token = question.role("token")?.to_vec();
    let keys: Vec<Value> = question.roots.iter().filter_map(|der| jwk(der)).collect();
    if keys.is_empty() {
        return Err(Refusal::NotJudged("no platform key that a JWK can hold among the roots".into()));
    }
    let mut last = String::new();
    for key in keys {
        match verify(&token, &key)? {
            None => return Ok("ccatoken".into()),
            Some(why) => last = why,
        }
    }
    Err(Refusal::Refused(last))
}

/// None where the key accepts; else what the vectors say.
fn verify(token: &Vec<u8>, key: &Value) -> Result<Option<String>, Refusal> {
    let mut evidence = Evidence::decode(token).map_err(unread)?;
    let instance = hex(&evidence.platform_claims.inst_id);
    let anchor = json!([{"pkey": key, "implementation-id": hex(&evidence.platform_claims.impl_id), "instance-id": instance}]);
    let mut store = MemoTrustAnchorStore::new();
    store.load_json(&anchor.to_string()).map_err(refused("ccatoken: store"))?;
    evidence.verify(&store).map_err(refused("ccatoken"))?;
    let (platform, realm) = evidence.get_trust_vectors();
    let good = genuine(&platform) && genuine(&realm);
    Ok((!good).then(|| format!("ccatoken: platform {}, realm {}", words(&platform), words(&realm))))
}

fn unread(error: impl std::fmt::Display) -> Refusal {
    let text = error.to_string();
    match NEWER.iter().any(|words| text.contains(words)) {
        true => Refusal::NotJudged(format!("ccatoken: {text}")),
        false => Refusal::Refused(format!("ccatoken: {text}")),
    }
}

fn genuine(vector: &TrustVector) -> bool {
    vector.instance_identity == claim::TRUSTWORTHY_INSTANCE
        && vector.into_iter().all(|tier| tier != claim::CRYPTO_VALIDATION_FAILED)
}

fn words(vector: &TrustVector) -> String {
    serde_json::to_string(vector).unwrap_or_else(|error| error.to_string())
}

fn jwk(der: &[u8]) -> Option<Value> {
    let key = EcKey::public_key_from_der(der).ok()?;
    let (curve, algorithm, size) = match key.group().curve_name()? {
        Nid::X9_62_PRIME256V1 => ("P-256", "ES256", 32),
        Nid::SECP384R1 => ("P-384", "ES384", 48),
        _ => return None,
    };
    let (x, y) = coordinates(&key, size).ok()?;
    Some(json!({"kty": "EC", "crv": curve, "alg": algorithm, "x": x, "y": y}))
}

fn coordinates(key: &EcKey<openssl::pkey::Public>, size: i32) -> Result<(String, String), ErrorStack> {
    let mut context = BigNumContext::new()?;
    let (mut x, mut y) = (openssl::bn::BigNum::new()?, openssl::bn::BigNum::new()?);
    key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context)?;
    let encode = |number: &openssl::bn::BigNum| Ok::<_, ErrorStack>(BASE64_URL_SAFE_NO_PAD.encode(number.to_vec_padded(size)?));
    Ok((encode(&x)?, encode(&y)?))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
