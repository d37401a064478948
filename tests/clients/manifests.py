"""Checks manifests against the schemas of Kubernetes and prints them as one JSON array.

    python manifests.py FOLDER

Ends with 1 and says why where one is not what its schema wants. What is no object of the API (kustomization.yaml) is
not printed.
"""

import json
import pathlib
import sys

import kubernetes_validate
import yaml

# The oldest in which all that is used is there without being asked for.
VERSION = "1.34"

documents, problems = [], []
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.yaml")):
    for document in yaml.safe_load_all(path.read_text()):
        if document["apiVersion"].startswith("kustomize."):
            # All that lies there is part of it.
            listed = {resource for resource in document["resources"]}
            there = {other.name for other in path.parent.glob("*.yaml")} - {path.name}
            problems += [f"{path.name}: {name}" for name in listed ^ there]
            continue
        try:
            kubernetes_validate.validate(document, VERSION, strict=True)
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
            problems.append(f"{path.name}: {error}")
        documents.append(document)
for problem in problems:
    print(problem, file=sys.stderr)
print(json.dumps(documents))
sys.exit(1 if problems else 0)
