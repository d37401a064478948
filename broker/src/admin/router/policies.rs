//! Policies, of the node and of the cluster.

use crate::admin::describe::{About, Parameter, header, number, one_of, text};
use crate::admin::policies::{self, PolicyChanged, PolicyInfo};
use crate::admin::query::{AFTER, LISTED};
use crate::admin::routes::{Routes, Verb};
use crate::admin::{rollout, state};
use crate::rollout::{Report, Shown as ClusterPolicy};

const SIGNATURE: Parameter = header(
    "Sluice-Signature",
    "The text of the module's minisign signature, in base64.",
);
const PERCENT: Parameter = number(
    "percent",
    1,
    100,
    "Of how many of a hundred sockets it decides.",
);

pub(super) fn routes(routes: Routes) -> Routes {
    let about = |name, summary| About::new(name, "policies", summary);
    let changes = |name, summary| {
        about(name, summary)
            .answers::<PolicyChanged>("What serves now.")
            .problems(CHANGE_PROBLEMS)
            .patient()
    };
    let narrowed = [
        text(
            "prefix",
            "Only what begins so: names of buckets, keys of entries.",
        ),
        text(
            "subject",
            "Only buckets that count this: `user:…`, `socket:…`, `address:…`, `namespace:…` or `global`.",
        ),
    ];
    let [prefix, subject] = narrowed;
    routes
        .get(
            "/api/v1/policies",
            policies::list,
            about(
                "listPolicies",
                "Policies, in the order in which they are asked",
            )
            .answers::<Vec<PolicyInfo>>("The policies."),
        )
        .get(
            "/api/v1/policies/{name}",
            policies::show,
            about("showPolicy", "One policy")
                .answers::<PolicyInfo>("The policy.")
                .problems(&[(404, "There is no such policy.")]),
        )
        .add(
            Verb::Put,
            "/api/v1/policies/{name}",
            policies::upload,
            changes(
                "uploadPolicy",
                "Serves a module as a policy, or puts it on trial",
            )
            .parameters(&[
                one_of(
                    "mode",
                    &["enforce", "shadow", "canary"],
                    "What the module is to do; `enforce` without this.",
                ),
                PERCENT,
                SIGNATURE,
            ])
            .takes_a_module(),
        )
        .post(
            "/api/v1/policies/reload",
            policies::reload_all,
            changes("reloadPolicies", "Follows the files now, of everything"),
        )
        .post(
            "/api/v1/policies/{name}/reload",
            policies::reload,
            changes("reloadPolicy", "Follows the files of one policy now"),
        )
        .post(
            "/api/v1/policies/{name}/promote",
            policies::promote,
            changes(
                "promotePolicy",
                "Makes the version on trial the one that enforces",
            ),
        )
        .post(
            "/api/v1/policies/{name}/candidate",
            policies::set_percent,
            changes(
                "setCanaryPercent",
                "Changes for how many sockets a canary decides",
            )
            .parameters(&[PERCENT.required()]),
        )
        .post(
            "/api/v1/policies/{name}/rollback",
            policies::roll_back,
            changes(
                "rollBackPolicy",
                "Drops the version on trial, or serves an earlier generation",
            )
            .parameters(&[number(
                "generation",
                1,
                u64::MAX,
                "The generation to go back to; the one before without this.",
            )]),
        )
        .get(
            "/api/v1/policies/{name}/state",
            state::show,
            about("showPolicyState", "What a policy has counted and stored")
                .parameters(&[prefix, subject, LISTED, AFTER])
                .answers::<state::StatePage>("Buckets and entries, by name.")
                .problems(&[(404, "There is no such policy.")]),
        )
        .add(
            Verb::Delete,
            "/api/v1/policies/{name}/state",
            state::clear,
            about(
                "clearPolicyState",
                "Drops what a policy has counted and stored, or a part of it, on all nodes",
            )
            .parameters(&[prefix, subject])
            .answers::<state::Cleared>("How much of it there was, and who did not answer.")
            .problems(&[(404, "There is no such policy.")]),
        )
}

const CHANGE_PROBLEMS: &[(u16, &str)] = &[
    (404, "There is no such policy, or generation."),
    (409, "There is nothing of the kind that is asked for."),
    (
        422,
        "The module, or what the files say, is no good: nothing was changed.",
    ),
    (503, "As many changes as may be are under way."),
    (504, "It took too long."),
];

pub(super) fn of_cluster(routes: Routes) -> Routes {
    let about = |name, summary| About::new(name, "policies", summary).patient();
    routes
        .get(
            "/api/v1/cluster/policies",
            rollout::list,
            about("listClusterPolicies", "What every node is to serve")
                .answers::<Vec<ClusterPolicy>>("By policy.")
                .problems(&[(404, "The node is alone."), (503, "There is no NATS.")]),
        )
        .post(
            "/api/v1/cluster/policies/{name}",
            rollout::push,
            about("rollOutPolicy", "Has all nodes serve a module, or none")
                .parameters(&[SIGNATURE])
                .takes_a_module()
                .answers::<Report>("It serves on every node.")
                .problems(&[
                    (404, "The node is alone."),
                    (409, "Another module is being rolled out."),
                    (
                        422,
                        "A node refused it, so it serves nowhere: `nodes` says why.",
                    ),
                    (503, "There is no NATS."),
                ]),
        )
        .add(
            Verb::Delete,
            "/api/v1/cluster/policies/{name}",
            rollout::withdraw,
            about(
                "withdrawPolicy",
                "Has the cluster ask for a policy no more: what serves goes on serving until its node is told otherwise",
            )
            .answers::<rollout::Withdrawn>("Nodes that come later serve what their files say.")
            .problems(&[
                (404, "The node is alone, or the cluster does not ask for it."),
                (409, "A module is being rolled out."),
                (503, "There is no NATS."),
            ]),
        )
}
