"""`confide pack`: a Hugging Face style folder in, one `.confide` file out."""

from pathlib import Path

import click

from confide.cli.options import PATH, json_option, option
from confide.cli.output import emit, emit_json, note
from confide.cli.serve import missing_extra


@click.command("pack")
@click.argument("source", type=PATH, metavar="DIR")
@option("-o", "--output", type=PATH, required=True, metavar="FILE", help="The package to write, such as model.confide.")
@option("--task", metavar="TASK", help="sentence-embedding or text-classification. Default: what the folder says.")
@option("--name", metavar="NAME", help="Name in the manifest. Default: the folder's name.")
@option(
    "--label", "labels", multiple=True, metavar="LABEL", help="A classifier's labels in order, where the folder names none; repeat."
)
@option("--force", is_flag=True, help="Replace an existing file.")
@json_option
def command(
    source: Path, *, output: Path, task: str | None, name: str | None, labels: tuple[str, ...], force: bool, as_json: bool
) -> None:
    """Make a model package from DIR (config.json, tokenizer.json, safetensors or ONNX), try it on an example, print its digest."""
    try:
        from confide.engine import pack  # noqa: PLC0415 - the base install has no engine
    except ModuleNotFoundError as error:
        raise missing_extra(error, "server") from None
    note(f"packing {source} ...")
    report = pack.pack(source, output, task=task, name=name, labels=labels or None)
    if as_json:
        emit_json({"package": str(output), "digest": report.digest.hex()})
    else:
        emit(f"{output}  {report.digest.hex()}")
