//! Tests of CloudFront in front of the API, of copies of the bucket, and of traces. All are off unless a parameter turns them on.

use serde_json::{Value, json};

use super::template::{entries, resources, template};

#[test]
fn api_with_cloudfront_is_reached_only_through_it() {
    let template = template();
    let resources = &template["Resources"];
    let api = &resources["HttpApi"]["Properties"];
    assert_eq!(
        api["DisableExecuteApiEndpoint"],
        json!({ "If": ["HasCloudFront", true, false] })
    );
    assert_eq!(resources["Distribution"]["Condition"], "HasCloudFront");
    let distribution = &resources["Distribution"]["Properties"]["DistributionConfig"];
    let origin = &distribution["Origins"][0];
    assert_eq!(origin["DomainName"], json!({ "GetAtt": "Domain.RegionalDomainName" }));
    assert_eq!(origin["CustomOriginConfig"]["OriginProtocolPolicy"], "https-only");
    // The functions expect the secret that CloudFront sends.
    let secret = json!({ "Sub": "{{resolve:secretsmanager:${OriginSecret}:SecretString}}" });
    let header = &origin["OriginCustomHeaders"][0];
    assert_eq!(
        (&header["HeaderName"], &header["HeaderValue"]),
        (&json!("x-origin-secret"), &secret)
    );
    let variables = &template["Globals"]["Function"]["Environment"]["Variables"];
    assert_eq!(
        variables["BACKEND_ORIGIN_SECRET"],
        json!({ "If": ["HasCloudFront", secret, ""] })
    );
    assert!(variables.get("BACKEND_TRUSTED_PROXIES").is_none());
}

#[test]
fn cloudfront_forwards_the_viewer_address_and_caches_nothing() {
    let template = template();
    let behavior = &template["Resources"]["Distribution"]["Properties"]["DistributionConfig"]["DefaultCacheBehavior"];
    assert_eq!(
        behavior["OriginRequestPolicyId"],
        json!({ "Ref": "OriginRequestPolicy" })
    );
    // The AWS managed policy CachingDisabled.
    assert_eq!(behavior["CachePolicyId"], "4135ea2d-6df8-44a3-9df3-4b5a84be39ad");
    let policy = &template["Resources"]["OriginRequestPolicy"]["Properties"]["OriginRequestPolicyConfig"];
    let headers =
        json!({ "HeaderBehavior": "allViewerAndWhitelistCloudFront", "Headers": ["CloudFront-Viewer-Address"] });
    assert_eq!(policy["HeadersConfig"], headers);
    assert_eq!(policy["QueryStringsConfig"]["QueryStringBehavior"], "all");
}

#[test]
fn cloudfront_requires_a_domain_and_both_certificates() {
    let template = template();
    let rule = &template["Rules"]["CloudFrontNeedsADomain"];
    assert_eq!(
        rule["RuleCondition"],
        json!({ "Equals": [{ "Ref": "CloudFront" }, "yes"] })
    );
    let needed: Vec<_> = rule["Assertions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|assertion| assertion["Assert"]["Not"][0]["Equals"][0]["Ref"].as_str().unwrap())
        .collect();
    assert_eq!(needed, ["DomainName", "CertificateArn", "CloudFrontCertificateArn"]);
}

#[test]
fn copies_and_traces_are_off_by_default() {
    let template = template();
    let default = |name: &str| template["Parameters"][name]["Default"].clone();
    for name in ["ReplicaBucketArn", "ReplicaAccount", "WebAclArn", "OtlpEndpoint"] {
        assert_eq!(default(name), "", "{name}");
    }
    assert_eq!(
        (default("CloudFront"), default("Tracing")),
        (json!("no"), json!("PassThrough"))
    );
    let replication = &template["Resources"]["Bucket"]["Properties"]["ReplicationConfiguration"]["If"];
    assert_eq!(
        (&replication[0], &replication[2]),
        (&json!("HasReplica"), &json!({ "Ref": "AWS::NoValue" }))
    );
    for (name, resource) in entries(&template["Resources"]) {
        let is_of_replica = name.starts_with("Replication");
        assert_eq!(resource["Condition"] == "HasReplica", is_of_replica, "{name}");
    }
    assert_eq!(template["Resources"]["TracingPolicy"]["Condition"], "HasTracing");
}

/// An attacker with access to the account can delete objects of the bucket, but not their copies.
#[test]
fn replication_can_only_add_copies_and_delete_markers() {
    let path = std::path::Path::new(super::template::ROOT).join("deploy/replica.yaml");
    let replica = super::template::read(&path);
    let statements = &replica["Resources"]["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"];
    let allowed: Vec<&Value> = statements
        .as_array()
        .unwrap()
        .iter()
        .filter(|statement| statement["Effect"] == "Allow")
        .collect();
    let [copies] = allowed[..] else { panic!("{allowed:?}") };
    let ours = &resources(&template(), "AWS::IAM::Policy")
        .into_iter()
        .find(|(name, _)| *name == "ReplicationPolicy")
        .map(|(_, policy)| policy["PolicyDocument"]["Statement"][2]["Action"].clone())
        .unwrap();
    assert_eq!(copies["Action"], *ours);
    for action in copies["Action"].as_array().unwrap() {
        let action = action.as_str().unwrap();
        assert!(
            action.starts_with("s3:Replicate") || action == "s3:ObjectOwnerOverrideToBucketOwner",
            "{action}"
        );
    }
    assert_eq!(
        replica["Resources"]["Bucket"]["Properties"]["VersioningConfiguration"]["Status"],
        "Enabled"
    );
}
