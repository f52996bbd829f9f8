"""AMD's Key Distribution Service (AMD 57230, "VCEK Certificate and KDS Interface Specification").

    /vcek/v1/{product}/{hwID}?blSPL=&teeSPL=&snpSPL=&ucodeSPL=[&fmcSPL=]   the chip's certificate for a TCB, DER
    /{vcek|vlek}/v1/{product}/cert_chain                                   ASK or ASVK, then ARK, PEM
    /{vcek|vlek}/v1/{product}/crl                                          the ARK's revocation list, DER

A VLEK is loaded by the provider and cannot be fetched by others: it comes with the report or not at all. KDS limits how often a
stranger may ask, so that a cache in front of it is the rule (`cache`).
"""

from collections.abc import Mapping

from confide.attest.snp.layout import Product, Report, SigningKey, Tcb, product_of_cpuid
from confide.attest.x509 import MAX_BUNDLE, MAX_CRL
from confide.codes import Code
from confide.collateral.fetch import Fetcher, Question
from confide.collateral.services import Services
from confide.errors import CollateralError

_PATHS = {SigningKey.VCEK: "vcek", SigningKey.VLEK: "vlek"}
_SPLS = (("boot_loader", "blSPL"), ("tee", "teeSPL"), ("snp", "snpSPL"), ("microcode", "ucodeSPL"))


def fetch_amd(report: Report, fetcher: Fetcher, services: Services, *, product: Product | None = None) -> Mapping[str, bytes]:
    """Roles to bytes of what verifiers of this report need: `vcek` (not for a VLEK), `cert-chain`, `crl`.

    Args:
        product: for reports of version 2, which do not say; Milan is asked for first there, then Genoa.

    Raises:
        CollateralError: what `Fetcher.ask` raises; `collateral.unknown_platform` where nothing can be asked for.
    """
    path = _PATHS.get(report.signing_key)
    if path is None:
        found = f"a report signed by {report.signing_key.name}"
        raise CollateralError(Code.COLLATERAL_UNKNOWN_PLATFORM, found=found, wanted="VCEK or VLEK")
    product, leaf = _leaf(report, path, fetcher, services, product)
    base = f"{services.amd}/{path}/v1/{product.value}"
    chain = fetcher.ask(Question(f"{base}/cert_chain", MAX_BUNDLE)).content
    crl = fetcher.ask(Question(f"{base}/crl", MAX_CRL)).content
    return {**leaf, "cert-chain": chain, "crl": crl}


def _leaf(
    report: Report, path: str, fetcher: Fetcher, services: Services, product: Product | None
) -> tuple[Product, Mapping[str, bytes]]:
    products = _products(report, product)
    if report.signing_key is SigningKey.VLEK:
        return products[0], {}
    if not any(report.chip_id):
        hint = "ask the host's operator for the certificate of this chip"
        raise CollateralError(Code.COLLATERAL_UNKNOWN_PLATFORM, found="a masked CHIP_ID", wanted="a chip to ask for", hint=hint)
    for each in products[:-1]:
        try:
            return each, _vcek(report, each, path, fetcher, services)
        except CollateralError as error:
            if error.code is not Code.COLLATERAL_REFUSED:
                raise
    return products[-1], _vcek(report, products[-1], path, fetcher, services)


def _products(report: Report, product: Product | None) -> tuple[Product, ...]:
    if report.cpuid is not None:
        found = product_of_cpuid(*report.cpuid[:2])
        if found is None:
            family, model, _ = report.cpuid
            raise CollateralError(
                Code.COLLATERAL_UNKNOWN_PLATFORM, found=f"family {family:#x} model {model:#x}", wanted="a product of AMD's KDS"
            )
        return (found,)
    return (product,) if product else (Product.MILAN, Product.GENOA)


def _vcek(report: Report, product: Product, path: str, fetcher: Fetcher, services: Services) -> Mapping[str, bytes]:
    """AMD 57230: hwID is CHIP_ID in hex, on Turin its first 8 bytes; the SPLs are those of REPORTED_TCB."""
    tcb = Tcb.from_bytes(report.reported_tcb, product.tcb_layout)
    names = (("fmc", "fmcSPL"), *_SPLS) if product is Product.TURIN else _SPLS
    query = "&".join(f"{name}={getattr(tcb, member):02}" for member, name in names)
    hwid = report.chip_id[: product.hwid_size].hex()
    url = f"{services.amd}/{path}/v1/{product.value}/{hwid}?{query}"
    return {"vcek": fetcher.ask(Question(url, MAX_BUNDLE)).content}
