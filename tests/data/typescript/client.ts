// Compiled by tests/unit/serve_app/test_typescript.py against the types of /openapi.json.
import type { components, operations, paths } from "./api";

type Answer = components["schemas"]["PoseResponse"];
type Problem = components["schemas"]["Problem"];
type Angle = keyof components["schemas"]["JointAngles"];
type Point = keyof components["schemas"]["Keypoints"];
type Refused = operations["pose"]["responses"][429]["content"]["application/problem+json"];

async function analyze(base: string, video: Blob): Promise<Answer> {
  const path: keyof paths = "/pose";
  const form = new FormData();
  form.append("file", video);
  const response = await fetch(base + path, { method: "POST", body: form });
  if (!response.ok) {
    const problem = (await response.json()) as Problem & Refused;
    const after: string | null = response.headers.get("Retry-After");
    throw new Error(`${problem.code}: ${problem.hint} ${problem.retryable ? after : ""}`);
  }
  return (await response.json()) as Answer;
}

export async function kneeOverTime(base: string, video: Blob): Promise<[number, number][]> {
  const angle: Angle = "left_knee";
  const point: Point = "left_ankle";
  const answer = await analyze(base, video);
  const series: [number, number][] = [];
  for (const frame of answer.data?.poses_per_frame ?? []) {
    const degrees = frame.biomechanics.joint_angles[angle];
    const interval = frame.biomechanics.detail?.ci95?.[angle] ?? null;
    const x: number | null = frame.keypoints?.[point].x ?? null;
    if (degrees !== null && interval !== null && x !== null) {
      series.push([frame.frame_info.timestamp, degrees]);
    }
  }
  return series;
}

// @ts-expect-error: a name that is no angle is found by the compiler.
export const unknown: Angle = "left_ear";
