"""The keyset names the attestation key; one that names none, or another, does not stand in."""

import pytest
from tests.attest.tpm.world import genuine
from tests.support import refused

from confide.attest.checks import Checks
from confide.attest.tpm.keyset import require_named
from confide.codes import Code


def test_a_key_that_the_keyset_names_is_accepted() -> None:
    claims, checks = genuine(), Checks()
    require_named(claims.ak_spki_sha256, named=claims.ak_spki_sha256, checks=checks)
    assert [check.title for check in checks.done] == ["attestation key in the keyset"]


@pytest.mark.parametrize("named", [None, bytes(32), b""])
def test_any_other_name_is_refused(named: bytes | None) -> None:
    with refused(Code.TPM_KEYSET):
        require_named(genuine().ak_spki_sha256, named=named, checks=Checks())
