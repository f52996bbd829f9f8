"""X.509 certificates and revocation lists (RFC 5280): loading, reading, checking one, and one link of a chain. For all kinds.

    loading -> decoded -> signatures, checks

AMD's VCEK and VLEK certificates have serial number 0, which RFC 5280 section 4.1.2.2 forbids and `cryptography` deprecates. Only
code under `decoded.quietly` meets that warning; exactly that message and two more are silenced there, and `pyproject.toml` bounds
`cryptography` to versions that load them. Negative ones refuse.

Left to others: applying revocation lists (`revocation`), which roots are pinned (`roots`), vendor extensions (`snp.extensions`),
fetching (`collateral`).
"""

from confide.attest.x509.checks import (
    KNOWN_EXTENSIONS,
    SHOWN,
    Extensions,
    Revocation,
    check_authority,
    check_distinct,
    check_end_entity,
    check_extensions,
    check_link,
    check_path,
    check_window,
    require_clock,
)
from confide.attest.x509.decoded import (
    MAX_SHOWN,
    SERIAL_NUMBER_WARNING,
    UNREADABLE,
    WARNINGS,
    Certificate,
    Names,
    RevocationList,
    common_name,
    extensions_of,
    issuer_of,
    names,
    printable,
    quietly,
    serial_number,
    subject_of,
)
from confide.attest.x509.loading import (
    MAX_BUNDLE,
    MAX_CERTIFICATES,
    MAX_CRL,
    load_certificate,
    load_certificates,
    load_crls,
    require_whole_bytes,
)
from confide.attest.x509.signatures import (
    AMD,
    P256,
    P384,
    PSS_SHA384,
    Algorithms,
    is_rsa_4096,
    key_name,
    same_key,
    signature_name,
    signed_by,
    told,
)

__all__ = [
    "AMD",
    "KNOWN_EXTENSIONS",
    "MAX_BUNDLE",
    "MAX_CERTIFICATES",
    "MAX_CRL",
    "MAX_SHOWN",
    "P256",
    "P384",
    "PSS_SHA384",
    "SERIAL_NUMBER_WARNING",
    "SHOWN",
    "UNREADABLE",
    "WARNINGS",
    "Algorithms",
    "Certificate",
    "Extensions",
    "Names",
    "Revocation",
    "RevocationList",
    "check_authority",
    "check_distinct",
    "check_end_entity",
    "check_extensions",
    "check_link",
    "check_path",
    "check_window",
    "common_name",
    "extensions_of",
    "is_rsa_4096",
    "issuer_of",
    "key_name",
    "load_certificate",
    "load_certificates",
    "load_crls",
    "names",
    "printable",
    "quietly",
    "require_clock",
    "require_whole_bytes",
    "same_key",
    "serial_number",
    "signature_name",
    "signed_by",
    "subject_of",
    "told",
]
