"""Run the two language model flows against a real server, and show what came back.

    python bench/llm_end_to_end.py --base-url http://127.0.0.1:8080/v1 --api-key KEY [--times 10]

The flows run as they stand in flows/; the instance's plugin defaults alone say where the server is. Exits with 1 if
a run fails, or if a value that the model was given to choose from is none of those.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from engine import Engine
from engine.model.execution import Execution

FLOWS = Path(__file__).parent.parent / "flows"
URGENCIES = ("reply_immediately", "reply_later")


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the two language model flows against a real server.")
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--times", type=int, default=1, help="how often to run each flow (default: 1)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        values = {"baseUrl": options.base_url, "apiKey": options.api_key}
        default = {"type": "io.kestra.plugin.openai", "forced": True, "values": values}
        (Path(home) / "penstock.yaml").write_text(json.dumps({"pluginDefaults": [default]}))  # JSON is YAML
        with Engine(home=home) as engine:
            passed = [
                run(engine, name)
                for _ in range(options.times)
                for name in ("openai_completion", "openai_function_call")
            ]
    print(f"{sum(passed)} of {len(passed)} runs passed")
    return 0 if all(passed) else 1


def run(engine: Engine, name: str) -> bool:
    start = time.perf_counter()
    execution = engine.run(FLOWS / f"{name}.yaml")
    took = time.perf_counter() - start
    values = {task_run.task_id: (task_run.outputs or {}).get("value") for task_run in list(execution.in_order())[1:]}
    print(
        f"{name}: {execution.state} in {took * 1000:.0f} ms, {tokens(engine, execution)} tokens, {json.dumps(values)}"
    )
    for task_run in execution.in_order():
        if task_run.error:
            print(f"  {task_run.task_id}: {task_run.error}")
    return execution.state == "SUCCESS" and values.get("response_urgency", URGENCIES[0]) in URGENCIES


def tokens(engine: Engine, execution: Execution) -> int:
    return int(sum(m.value for m in engine.store.metrics(execution.id) if m.name == "usage.total_tokens"))


if __name__ == "__main__":
    sys.exit(main())
