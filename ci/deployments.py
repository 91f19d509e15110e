"""The `sam deploy` commands of docs/deploy.md, with the parameters that the SAM CLI would give to CloudFormation."""

import pathlib
import re
import shlex
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMAND = "sam deploy"
OVERRIDES = "--parameter-overrides"
ENVIRONMENT = "--config-env"
# The section of samconfig.toml that the CLI reads without `--config-env`.
DEFAULT_ENVIRONMENT = "default"
STAGES = {DEFAULT_ENVIRONMENT: "staging", "production": "production"}
# A parameter in the form that the CLI reads. Quotes inside those of the shell protect a value; other values are cut at a blank.
PARAMETER = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')
# A parameter that the text mentions in code, as in `DomainName=api.example.com`. Settings are in capitals.
CODE = re.compile(r"`([^`\n]+)`")
MENTIONED = re.compile(r"\b([A-Z][A-Za-z]*[a-z][A-Za-z]*)=")


def commands(text):
    """The commands in the shell blocks of a page, each as a list of words."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith(COMMAND):
                yield shlex.split(line, comments=True)


def environment_of(words):
    return words[words.index(ENVIRONMENT) + 1] if ENVIRONMENT in words else DEFAULT_ENVIRONMENT


def parameters_of(words, samconfig):
    """The parameters of a command, and the words that the SAM CLI would cut. Parameters of the command line replace
    all of samconfig.toml."""
    if OVERRIDES in words:
        given = words[words.index(OVERRIDES) + 1 :]
        end = next((at for at, word in enumerate(given) if word.startswith("--")), len(given))
        given = given[:end]
    else:
        section = samconfig.get(environment_of(words), {}).get("deploy", {}).get("parameters", {})
        given = shlex.split(section.get("parameter_overrides", ""))
    parsed = {word: PARAMETER.fullmatch(word) for word in given}
    unreadable = [word for word, parts in parsed.items() if parts is None]
    return {parts[1]: parts[2] or parts[3] or "" for parts in parsed.values() if parts}, unreadable


def problems_of(parameters, declared):
    """The reasons why CloudFormation would refuse these parameters."""
    for name in parameters.keys() - declared.keys():
        yield f"the template has no parameter {name}"
    for name, parameter in declared.items():
        if name not in parameters:
            if "Default" not in parameter:
                yield f"{name} is missing"
            continue
        value = parameters[name]
        if value not in parameter.get("AllowedValues", [value]):
            yield f"{name} cannot be {value}"
        if not re.fullmatch(parameter.get("AllowedPattern", ".*"), value):
            yield f"{name}={value} does not fit {parameter['AllowedPattern']}"
        if len(value) < int(parameter.get("MinLength", 0)):
            yield f"{name}={value} is too short"


def documented(declared):
    """The deployments that docs/deploy.md documents: parameters by name of the stack, and problems."""
    text = (ROOT / "docs/deploy.md").read_text()
    samconfig = tomllib.loads((ROOT / "samconfig.toml").read_text())
    stacks, problems = {}, []
    for number, words in enumerate(commands(text), 1):
        environment = environment_of(words)
        parameters, unreadable = parameters_of(words, samconfig)
        problems += [f"{shlex.join(words)}: the SAM CLI cuts {word}" for word in unreadable]
        name = f"{samconfig[environment]['global']['parameters']['stack_name']}-{number}"
        stacks[name] = parameters
        problems += [f"{shlex.join(words)}: {problem}" for problem in problems_of(parameters, declared)]
        if parameters.get("Stage") != STAGES[environment]:
            problems.append(f"{shlex.join(words)}: deploys {environment} as {parameters.get('Stage')}")
    if {parameters.get("Stage") for parameters in stacks.values()} != set(STAGES.values()):
        problems.append("docs/deploy.md does not show how to deploy each stage")
    mentioned = {name for code in CODE.findall(text) for name in MENTIONED.findall(code)}
    problems += [f"docs/deploy.md: no parameter {name}" for name in sorted(mentioned - declared.keys())]
    required = {name for name, parameter in declared.items() if "Default" not in parameter}
    problems += [f"docs/deploy.md does not explain {name}" for name in sorted(required) if f"`{name}" not in text]
    return stacks, problems
