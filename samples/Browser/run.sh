#!/bin/bash
# Opens index.html with a flow in headless Chromium and prints what it shows: run.sh FLOW.onnx
# Needs node, npm and chromium. The runtime is the npm package onnxruntime-web.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
flow=$(realpath "$1")
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts onnxruntime-web@1.30.0 >&2
mkdir site
cp "$here/index.html" site/
cp "$flow" site/flow.onnx
cp node_modules/onnxruntime-web/dist/ort.wasm.min.js node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.{mjs,wasm} site/
port=$((20000 + RANDOM % 20000))
node "$here/serve.mjs" site "$port" &
server=$!
sleep 1
chromium --headless=new --no-sandbox --disable-gpu --user-data-dir="$work/profile" --virtual-time-budget=20000 --dump-dom "http://127.0.0.1:$port/index.html" 2>/dev/null \
  | sed -n 's/.*<pre id="out">\(.*\)<\/pre>.*/\1/p'
