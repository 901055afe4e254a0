"""A request as a program sends it: in curl, in Python with the SDK, in JavaScript."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from darkroom.domain.kinds.kind import Kind

KEY = "DARKROOM_API_KEY"


def curl(base_url: str, kind: Kind, body: Mapping[str, Any]) -> str:
    """For a shell; the body stands in single quotes, which it may hold too."""
    text = json.dumps(body, indent=2, ensure_ascii=False).replace("'", "'\\''")
    return (
        f"curl -X POST {base_url}{kind.route} \\\n"
        f'  -H "Authorization: Bearer ${KEY}" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d '{text}'"
    )


def python(base_url: str, kind: Kind, body: Mapping[str, Any]) -> str:
    """With the SDK, which knows every kind by its name and waits for the results."""
    fields = "".join(f"    {name}={value!r},\n" for name, value in body.items())
    return (
        "import os\n\n"
        "from darkroom import Client\n\n"
        f'client = Client("{base_url}", os.environ["{KEY}"])\n'
        f'for task in client.generate(\n    "{kind.name}",\n{fields}):\n'
        "    print(task.files, task.cost)"
    )


def javascript(base_url: str, kind: Kind, body: Mapping[str, Any]) -> str:
    """For Node: submit, then ask until every task of the batch has ended."""
    text = json.dumps(body, indent=2, ensure_ascii=False).replace("\n", "\n  ")
    return (
        "const headers = {\n"
        f"  Authorization: `Bearer ${{process.env.{KEY}}}`,\n"
        '  "Content-Type": "application/json",\n'
        "};\n"
        f'const submitted = await fetch("{base_url}{kind.route}", {{\n'
        '  method: "POST",\n'
        "  headers,\n"
        f"  body: JSON.stringify({text}),\n"
        "}).then((answer) => answer.json());\n"
        "if (!submitted.success) throw new Error(submitted.message);\n\n"
        "let tasks;\n"
        "do {\n"
        "  await new Promise((resolve) => setTimeout(resolve, 1000));\n"
        f"  const address = `{base_url}/v1/generation/batch/${{submitted.data.batch_id}}/status`;\n"
        "  tasks = (await fetch(address, { headers }).then((answer) => answer.json())).data;\n"
        '} while (tasks.some((task) => !["SUCCESS", "FAILED"].includes(task.task_status)));\n'
        "console.log(tasks);"
    )
