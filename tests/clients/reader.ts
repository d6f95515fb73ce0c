// Reads answers of the HTTP API with the types generated from its OpenAPI document.
import { readFileSync } from "node:fs";
import type { components, operations } from "./openapi.js";

type AlertCopy = components["schemas"]["AlertCopy"];
type Problem =
  operations["show_alert"]["responses"][404]["content"]["application/problem+json"];

// Each branch uses a field that only the copies of its kind and tier have.
export function described(alert: AlertCopy): string {
  if ("category" in alert) {
    return "tier" in alert
      ? `${alert.category} ${alert.kind}: ${alert.n_patients}`
      : `${alert.category} ${alert.kind}: ${alert.n_verified}`;
  }
  if ("tier" in alert) return `${alert.kind}: ${alert.n_observed} in ${alert.evaluated_in}`;
  const cases = "case_ids" in alert ? `, ${alert.case_ids.length} named` : "";
  return `${alert.kind}: ${alert.counts.n_observed} on ${alert.evaluated_on}${cases}`;
}

export function refusal(problem: Problem): string {
  return `${problem.status} ${problem.title}: ${problem.detail}`;
}

const answers: { alerts: AlertCopy[]; problem: Problem } = JSON.parse(
  readFileSync(process.argv[2]!, "utf-8"),
);
for (const alert of answers.alerts) console.log(described(alert));
console.log(refusal(answers.problem));
