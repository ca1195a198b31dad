/** The calls of this page as a reader would write them. */

function quoted(value) {
  return `'${String(value).replaceAll("'", `'\\''`)}'`;
}

/** @param source `{name}` of a file or `{address}`. @param options of the request. */
export function curl(service, source, options, job, keyed) {
  const key = keyed ? ` \\\n  -H "Authorization: Bearer $MMPOSE_API_KEY"` : "";
  const fields = Object.entries(options);
  const call = source.address
    ? ` \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted(JSON.stringify({ video_url: source.address, ...options }))}`
    : [`file=@${source.name}`, ...fields.map(([name, value]) => `${name}=${form(value)}`)]
      .map((field) => ` \\\n  -F ${quoted(field)}`).join("");
  return `curl ${quoted(`${service}/jobs`)}${key}${call}\n`
    + `curl ${quoted(`${service}/jobs/${job}/result`)}${key} -o result.json`;
}

export function python(service, source, options, keyed) {
  const key = keyed ? `, api_key=os.environ["MMPOSE_API_KEY"]` : "";
  const named = Object.entries(options).map(([name, value]) => `, ${name}=${literal(value)}`).join("");
  return `${keyed ? "import os\n\n" : ""}from serve_app.client import PoseClient

with PoseClient(${literal(service)}${key}) as client:
    job = client.submit(${literal(source.address ?? source.name)}${named})
    client.wait(job.id)
    answer = client.result(job.id)
for person in answer.data.biomechanics_summary:
    for name, joint in person.joints.items():
        print(person.person_id, name, joint.rom, joint.rom_ci95, joint.reason)`;
}

function form(value) {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function literal(value) {
  if (value === true) return "True";
  if (value === false) return "False";
  return JSON.stringify(value);
}
