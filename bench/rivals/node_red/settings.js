// Node-RED without its editor's storage: one flow, and the beds' past from a file beside this one.
const past = require("./past.json");
const beds = {};
for (const [name, samples] of Object.entries(past.beds)) {
  let area = 0;
  for (let i = 1; i < samples.length; i++) area += samples[i - 1][1] * (samples[i][0] - samples[i - 1][0]);
  const last = samples[samples.length - 1];
  beds[name] = { samples, first: 0, last, area, low: false, high: false, sinceMs: null };
}
module.exports = {
  flowFile: "flows.json",
  userDir: __dirname,
  httpAdminRoot: false,
  httpNodeRoot: false,
  uiPort: past.uiPort,
  uiHost: "127.0.0.1",
  credentialSecret: false,
  functionGlobalContext: { beds, holdMs: past.holdMs },
  logging: { console: { level: "info" } },
};
