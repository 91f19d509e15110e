"""The template without an AWS account: what SAM makes of it, and a stack of that in moto's CloudFormation.

    stack.py expand [NAME=VALUE ...]     prints the expanded template as JSON, with these parameters
    stack.py create                      creates stacks of it: for each set of PARAMETERS, and for each `sam deploy` command of
                                         docs/deploy.md, whose parameters it checks before

`create` fails if a resource of a type that moto knows is not created, so that references and conditions resolve. It cannot
show that AWS accepts the types in NOT_IN_MOTO; cfn-lint checks those against their published schemas.
"""

import json
import logging
import os
import pathlib
import sys
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
# Where `sam deploy` would have put the code.
ARTIFACTS = "artifacts"
CODE = "code.zip"
# The parameters that have no default, as a first deployment gives them.
REQUIRED = {
    "Stage": "staging",
    "Instance": "bespoke-staging",
    "MailFrom": "Bespoke <mail@example.com>",
    "AlarmEmail": "alarms@example.com",
}
# Each condition of the template is true in one of these stacks and false in another.
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
    },
}
# moto's CloudFormation skips resources of these types.
NOT_IN_MOTO = {
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::ApiGatewayV2::Stage",
    "AWS::Budgets::Budget",
    "AWS::CloudWatch::Alarm",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Logs::MetricFilter",
    "AWS::S3::BucketPolicy",
    "AWS::SecretsManager::Secret",
}


def declared():
    """The template as it is written."""
    return samtranslator.yaml_helper.yaml_parse((ROOT / "template.yaml").read_text())


def expand(parameters):
    """The CloudFormation template that the SAM transform makes of template.yaml."""
    template = declared()
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://{ARTIFACTS}/{CODE}"
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    return translator.translate(template, parameters)


def without_unknown_outputs(template):
    """The same without outputs that are attributes of resources in NOT_IN_MOTO, because moto fails on those."""

    def is_known(output):
        resource = output["Value"].get("Fn::GetAtt", [None])[0] if isinstance(output["Value"], dict) else None
        return resource is None or template["Resources"][resource]["Type"] not in NOT_IN_MOTO

    outputs = {name: output for name, output in template["Outputs"].items() if is_known(output)}
    return template | {"Outputs": outputs}


def create(name, parameters):
    """Creates a stack, and returns the problems that showed."""
    template = without_unknown_outputs(expand(parameters))
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
    problems = [] if status == "CREATE_COMPLETE" else [f"{name}: {status}"]
    expected = {key: resource["Type"] for key, resource in template["Resources"].items() if "Condition" not in resource}
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
        for name, parameters in (PARAMETERS | ({} if problems else documented)).items():
            with mock_aws():
                problems += create(name, parameters)
        return "\n".join(problems) or None
    except InvalidDocumentException as error:
        return "\n".join(cause.message for cause in error.causes)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:] or ["create"]))
