// Prints every error and warning of an AsyncAPI document; the exit code says whether there is one.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf-8"));
const found = diagnostics.filter(({ severity }) => severity <= 1);
for (const { path, message } of found) console.log(`${path.join("/")}: ${message}`);
process.exit(document && !found.length ? 0 : 1);
