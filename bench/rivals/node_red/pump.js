// One pump status: whether the dose has been high for as long as it must be.
const [, , unit, name] = msg.topic.split("/");
const bed = global.get("beds")[`${unit}/${name}`];
const pump = msg.payload;
const atMs = Date.parse(pump.time);
const infused = pump.status === "infusing" ? pump.rate.value : 0;
const dose = (infused * pump.concentration.value) / 60 / pump.weight.value;
if (dose < (bed.high ? 0.22 : 0.25)) {
  bed.sinceMs = null;
  bed.high = false;
  return null;
}
if (bed.sinceMs === null) bed.sinceMs = atMs;
if (bed.high || atMs - bed.sinceMs < global.get("holdMs")) return null;
bed.high = true;
const data = { rule: "ESC-THRESHOLD", priority: "medium", phase: "start" };
return { payload: { subject: `${unit}/${name}`, time: pump.time, data } };
