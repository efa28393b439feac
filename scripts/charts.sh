#!/bin/sh
# Makes src/monzen/show/html/charts.min.js anew: the parts of Apache ECharts that the page uses, in one script.
#   scripts/charts.sh        needs node and npm; nothing else of the project does
set -eu
cd "$(dirname "$0")/.."
VERSION=6.1.0 ESBUILD=0.28.2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
out=$PWD/src/monzen/show/html/charts.min.js
cat >"$work/entry.js" <<'JS'
import { use, init } from "echarts/core";
import { BarChart, ScatterChart, CustomChart } from "echarts/charts";
import { GridComponent, TooltipComponent, DataZoomComponent, LegendComponent, AriaComponent } from "echarts/components";
import { SVGRenderer } from "echarts/renderers";
use([BarChart, ScatterChart, CustomChart, GridComponent, TooltipComponent, DataZoomComponent, LegendComponent, AriaComponent, SVGRenderer]);
globalThis.echarts = { init };
JS
cd "$work"
npm init -y >/dev/null
npm install --silent "echarts@$VERSION" "esbuild@$ESBUILD"
banner="/*! Apache ECharts $VERSION, parts of it. Copyright 2017-2026 The Apache Software Foundation. Apache-2.0. It includes zrender (BSD-3-Clause) and tslib (0BSD). */"
npx esbuild entry.js --bundle --minify --format=iife --target=es2020 --legal-comments=none "--banner:js=$banner" "--outfile=$out"
if grep -q '</script\|new Function\|eval(' "$out"; then
    echo "charts.min.js holds what the page does not allow" >&2
    exit 1
fi
