// One arterial pressure: the time-weighted mean of the last quarter of an hour, by a running sum.
const [, , unit, name] = msg.topic.split("/");
const bed = global.get("beds")[`${unit}/${name}`];
const atMs = Date.parse(msg.payload.time);
const fromMs = atMs - 900000;
if (bed.last !== null) bed.area += bed.last[1] * (atMs - bed.last[0]);
bed.last = [atMs, msg.payload.value];
bed.samples.push(bed.last);
while (bed.first + 1 < bed.samples.length && bed.samples[bed.first + 1][0] <= fromMs) {
  const gone = bed.samples[bed.first++];
  bed.area -= gone[1] * (bed.samples[bed.first][0] - gone[0]);
}
if (bed.first > 1000) bed.samples.splice(0, bed.first), (bed.first = 0);
const [firstMs, first] = bed.samples[bed.first];
if (firstMs > fromMs) return null;
const mean = (bed.area - first * (fromMs - firstMs)) / 900000;
if (bed.low === mean < (bed.low ? 67 : 65)) return null;
bed.low = !bed.low;
if (!bed.low) return null;
const data = { rule: "MAP-LOW", priority: "high", phase: "start" };
return { payload: { subject: `${unit}/${name}`, time: msg.payload.time, data } };
