// sharp's thumbnails: node thumbnails.mjs FILE COUNT LARGEST file|clone EFFORT; see bench/thumbnails.py.
import { readFileSync, writeFileSync } from "node:fs";
import sharp from "sharp";

sharp.concurrency(1);
sharp.cache(false);
const [file, count, largest, way, effort] = process.argv.slice(2);
const bytes = readFileSync(file);
const edges = [1280, 480, 160];

const made = (pipeline, edge) =>
  pipeline
    .resize(edge, edge, { fit: "inside", withoutEnlargement: true })
    .webp({ quality: 78, effort: Number(effort) })
    .toBuffer();

async function thumbnails() {
  let all = [];
  if (way === "clone") {
    const original = sharp(bytes).rotate();
    all = await Promise.all(edges.map((edge) => made(original.clone(), edge)));
  } else {
    for (const edge of edges) all.push(await made(sharp(bytes).rotate(), edge));
  }
  return all;
}

const first = await thumbnails();
writeFileSync(largest, first[0]);
const size = first.reduce((sum, one) => sum + one.length, 0);
const start = process.cpuUsage();
for (let round = 0; round < Number(count); round++) await thumbnails();
const { user, system } = process.cpuUsage(start);
// The largest resident set that getrusage knows is at least that of who started this process.
const peak = Number(readFileSync("/proc/self/status", "utf8").match(/VmHWM:\s+(\d+) kB/)[1]) * 1024;
console.log(`${((user + system) / 1000 / Number(count)).toFixed(3)} ${size} ${peak}`);
