"""`confide pack`: a Hugging Face style folder in, one `.confide` file out."""

from pathlib import Path

import click

from confide.cli.options import PATH, json_option, option
from confide.cli.output import emit, emit_json, note
from confide.cli.serve import missing_extra
from confide.codes import Code
from confide.errors import MisuseError


@click.command("pack", short_help="Make a model package from a folder.")
@click.argument("source", type=PATH, metavar="DIR")
@option("-o", "--output", type=PATH, required=True, metavar="FILE", help="The package to write, such as model.confide.")
@option("--task", metavar="TASK", help="sentence-embedding or text-classification. Default: what the folder says.")
@option("--name", metavar="NAME", help="Name in the manifest. Default: the folder's name.")
@option(
    "--label", "labels", multiple=True, metavar="LABEL", help="A classifier's labels in order, where the folder names none; repeat."
)
@option("--head", type=PATH, metavar="FILE", help="A classifier's head, trained apart from its encoder (safetensors).")
@option("--max-tokens", type=click.IntRange(min=3), metavar="N", help="Longest input. Default: what the tokenizer says.")
@option("--quantize", is_flag=True, help="int8: about half the time for a cosine of about 0.999, which is measured and shown.")
@option("--calibration", type=PATH, metavar="FILE", help="For --quantize: texts like those to come, one a line. Default: own ones.")
@option("--force", is_flag=True, help="Replace an existing file.")
@json_option
def command(
    source: Path,
    *,
    output: Path,
    task: str | None,
    name: str | None,
    labels: tuple[str, ...],
    head: Path | None,
    max_tokens: int | None,
    quantize: bool,
    calibration: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Make a model package from DIR (config.json, tokenizer.json, safetensors or ONNX), try it on an example, print its digest.

    The digest covers every byte of the package; policies and receipts name it. Needs the pack extra: pip install 'confide[pack]'.
    """
    try:
        from confide.engine.pack import CALIBRATION, pack, read_calibration  # noqa: PLC0415 - the base install has no engine
    except ModuleNotFoundError as error:
        raise missing_extra(error, "pack") from None
    if output.exists() and not force:
        raise MisuseError(Code.CLI_EXISTS, found=str(output), wanted="a new file", hint="choose another name, or --force")
    note(f"packing {source}: reading weights, building the graph, trying it ...")
    if calibration is not None and not quantize:
        raise MisuseError(Code.CLI_INPUT, found="--calibration alone", wanted="--quantize beside it")
    texts = read_calibration(calibration or CALIBRATION) if quantize else None
    if texts is not None:
        note(f"int8: ranges from {(len(texts) + 1) // 2} texts, compared on {len(texts) // 2} others ...")
    report = pack(source, output, task=task, labels=labels or None, name=name, head=head, max_tokens=max_tokens, calibration=texts)
    if as_json:
        emit_json(report.as_dict())
    else:
        emit("\n".join(report.lines()))
