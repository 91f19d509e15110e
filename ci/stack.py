"""Checks the template without an AWS account: expands it with SAM, and creates stacks of the result in moto's CloudFormation.

    stack.py expand [NAME=VALUE ...]     prints the expanded template as JSON, with these parameters
    stack.py create                      creates stacks of it: for each set of PARAMETERS, and for each `sam deploy` command of
                                         docs/deploy.md, whose parameters it checks before

`create` fails if a resource of a type that moto knows is not created, so that references and conditions resolve, and if the template
is beyond a limit of CloudFormation. It cannot show that AWS accepts the types in NOT_IN_MOTO; cfn-lint checks those against their
published schemas.
"""

import json
import logging
import os
import pathlib
import sys
import tomllib
import warnings

import boto3
import deployments
import samtranslator.yaml_helper
from moto import mock_aws
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

ROOT = pathlib.Path(__file__).resolve().parent.parent
REGION = "us-east-1"
# Limits of CloudFormation, for a template in a bucket and for one within a request.
RESOURCES_MAX = 500
PARAMETERS_MAX = 200
OUTPUTS_MAX = 200
BYTES_MAX = 1_000_000
INLINE_BYTES_MAX = 51_200
# The location to which `sam deploy` would upload the code.
ARTIFACTS = "artifacts"
CODE = "code.zip"
# The parameters that have no default, as a first deployment gives them.
REQUIRED = {
    "Stage": "staging",
    "Instance": "bespoke-staging",
    "MailFrom": "Bespoke <mail@example.com>",
    "AlarmEmail": "alarms@example.com",
}
# Each condition of the template is true in one of these stacks and false in another, except those of reserved concurrency, which are all alike.
PARAMETERS = {
    "smallest": REQUIRED,
    "largest": REQUIRED
    | {
        "Stage": "production",
        "DomainName": "api.example.com",
        "CertificateArn": f"arn:aws:acm:{REGION}:123456789012:certificate/00000000-0000-4000-8000-000000000000",
        "SmtpUrl": "smtps://user:password@mail.example.com:465",
        "GitHubToken": "token",
        "OAuthGitHubClientId": "id",
        "OAuthGitHubClientSecret": "secret",
        "OAuthGoogleClientId": "id",
        "OAuthGoogleClientSecret": "secret",
        "AccountConcurrency": "20",
        "MaintenanceConcurrency": "2",
        "TrafficShift": "Canary10Percent5Minutes",
        "Release": "1796012345",
        "BackendUrl": "https://another.example.com",
        "CloudFront": "yes",
        "CloudFrontCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-4000-8000-000000000001",
        "WebAclArn": "arn:aws:wafv2:us-east-1:123456789012:global/webacl/bespoke/00000000-0000-4000-8000-000000000002",
        "ReplicaBucketArn": "arn:aws:s3:::replica",
        "ReplicaAccount": "210987654321",
        "Tracing": "Active",
        "OtlpEndpoint": "https://collector.example.com:4318",
    },
    "one-function": REQUIRED | {"Functions": "all", "AllConcurrency": "20"},
}
# moto's CloudFormation skips resources of these types.
NOT_IN_MOTO = {
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Stage",
    "AWS::Budgets::Budget",
    "AWS::CloudFormation::CustomResource",
    "AWS::CloudFront::Distribution",
    "AWS::CloudFront::OriginRequestPolicy",
    "AWS::CloudWatch::Alarm",
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Logs::MetricFilter",
    "AWS::S3::BucketPolicy",
    "AWS::SecretsManager::Secret",
}


def declared():
    """The template as it is written."""
    return samtranslator.yaml_helper.yaml_parse((ROOT / "template.yaml").read_text())


def expand(parameters):
    """The CloudFormation template to which the SAM transform expands template.yaml."""
    template = declared()
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://{ARTIFACTS}/{CODE}"
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    return translator.translate(template, parameters)


def problems_of_size(name, template, expanded):
    """The limits of CloudFormation that a template exceeds, as written and as expanded by the SAM transform."""
    written = (ROOT / "template.yaml").stat().st_size
    sizes = {
        "resources": (len(expanded["Resources"]), RESOURCES_MAX),
        "parameters": (len(template["Parameters"]), PARAMETERS_MAX),
        "outputs": (len(template["Outputs"]), OUTPUTS_MAX),
        "bytes": (max(written, len(json.dumps(expanded))), BYTES_MAX),
    }
    problems = [f"{name}: {size} {what}, and CloudFormation takes {most}" for what, (size, most) in sizes.items() if size > most]
    samconfig = tomllib.loads((ROOT / "samconfig.toml").read_text())
    if written > INLINE_BYTES_MAX:
        deployments = {key: of["deploy"]["parameters"] for key, of in samconfig.items() if key != "version" and "deploy" in of}
        by_request = [key for key, settings in deployments.items() if not settings.get("resolve_s3")]
        problems += [f"samconfig.toml: {key} needs resolve_s3, because a template of {written} bytes fits no request" for key in by_request]
    return problems


def is_true(condition, template, parameters):
    """Whether a condition of the template holds with these parameters."""

    def value(operand):
        if not isinstance(operand, dict):
            return operand
        name = operand["Ref"]
        return parameters.get(name, template["Parameters"].get(name, {}).get("Default"))

    ((function, operands),) = condition.items()
    match function:
        case "Fn::Equals":
            one, other = (str(value(operand)) for operand in operands)
            return one == other
        case "Condition":
            return is_true(template["Conditions"][operands], template, parameters)
        case "Fn::Not":
            return not is_true(operands[0], template, parameters)
        case "Fn::And":
            return all(is_true(operand, template, parameters) for operand in operands)
        case "Fn::Or":
            return any(is_true(operand, template, parameters) for operand in operands)
    raise ValueError(f"{function} is not evaluated")


def problems_of_rules(name, template, parameters):
    """The assertions of the template that do not hold with these parameters."""
    for rule in template.get("Rules", {}).values():
        if is_true(rule.get("RuleCondition", {"Fn::Equals": ["", ""]}), template, parameters):
            failed = [one for one in rule["Assertions"] if not is_true(one["Assert"], template, parameters)]
            yield from (f"{name}: {one['AssertDescription']}" for one in failed)


def problems_of_builds():
    """Whether `sam build --config-env one` leaves out each function that the one program replaces."""
    samconfig = tomllib.loads((ROOT / "samconfig.toml").read_text())
    functions = {name for name, resource in declared()["Resources"].items() if resource.get("Condition") == "SeparateFunctions"}
    functions = {name for name in functions if declared()["Resources"][name]["Type"] == "AWS::Serverless::Function"}
    if set(samconfig["one"]["build"]["parameters"]["exclude"]) != functions:
        yield f"samconfig.toml: `one` has to exclude {sorted(functions)}"


def problems_of_conditions():
    """The conditions that have the same value in all PARAMETERS."""
    template = expand(REQUIRED)
    for name, condition in template["Conditions"].items():
        values = {is_true(condition, template, parameters) for parameters in PARAMETERS.values()}
        if len(values) == 1 and not name.startswith("Reserves"):
            yield f"{name} is {values.pop()} in all stacks"


def with_functions_for_aliases(value, template):
    """The same with a reference to the function in place of one to its alias, because moto has no aliases."""
    if isinstance(value, list):
        return [with_functions_for_aliases(item, template) for item in value]
    if not isinstance(value, dict):
        return value
    resource = template["Resources"].get(value.get("Ref")) if isinstance(value.get("Ref"), str) else None
    if resource and resource["Type"] == "AWS::Lambda::Alias":
        return {"Fn::GetAtt": [resource["Properties"]["FunctionName"]["Ref"], "Arn"]}
    return {key: with_functions_for_aliases(item, template) for key, item in value.items()}


def without_unknown_outputs(template):
    """The same without outputs that need an attribute of a resource in NOT_IN_MOTO, because moto fails on those."""

    def is_known(value):
        if isinstance(value, list):
            return all(is_known(item) for item in value)
        if not isinstance(value, dict):
            return True
        resource = value.get("Fn::GetAtt", [None])[0]
        known = resource is None or template["Resources"][resource]["Type"] not in NOT_IN_MOTO
        return known and all(is_known(item) for item in value.values())

    outputs = {name: output for name, output in template["Outputs"].items() if is_known(output["Value"])}
    return template | {"Outputs": outputs}


def create(name, parameters):
    """Creates a stack, and returns the problems."""
    expanded = expand(parameters)
    problems = [*problems_of_size(name, declared(), expanded), *problems_of_rules(name, expanded, parameters)]
    template = without_unknown_outputs(with_functions_for_aliases(expanded, expanded))
    s3 = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket=ARTIFACTS)
    s3.put_object(Bucket=ARTIFACTS, Key=CODE, Body=b"")
    cloudformation = boto3.client("cloudformation", region_name=REGION)
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    created = {resource["LogicalResourceId"] for page in pages for resource in page["StackResourceSummaries"]}
    problems += [] if status == "CREATE_COMPLETE" else [f"{name}: {status}"]
    expected = {
        key: resource["Type"]
        for key, resource in template["Resources"].items()
        if "Condition" not in resource or is_true({"Condition": resource["Condition"]}, template, parameters)
    }
    for key, kind in expected.items():
        if key not in created and kind not in NOT_IN_MOTO:
            problems.append(f"{name}: {key} ({kind}) was not created")
        elif key in created and kind in NOT_IN_MOTO:
            problems.append(f"{name}: moto knows {kind} now")
    print(f"{name}: {status}, {len(template['Resources'])} resources, {len(created)} of them in moto")
    return problems


def main(command, *arguments):
    logging.disable(logging.WARNING)
    # moto warns of each type that it skips; NOT_IN_MOTO lists them.
    warnings.filterwarnings("ignore", category=UserWarning, module="moto")
    # moto answers every call, so the credentials of the caller are never used.
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION=REGION)
    try:
        if command == "expand":
            json.dump(expand(REQUIRED | dict(argument.split("=", 1) for argument in arguments)), sys.stdout)
            return None
        documented, problems = deployments.documented(declared()["Parameters"])
        problems += [*problems_of_builds(), *problems_of_conditions()]
        for name, parameters in (PARAMETERS | ({} if problems else documented)).items():
            with mock_aws():
                problems += create(name, parameters)
        return "\n".join(problems) or None
    except InvalidDocumentException as error:
        return "\n".join(cause.message for cause in error.causes)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:] or ["create"]))
