"use strict";
(() => {
  const unpacked = (packed) => ({
    ...packed,
    targets: packed.targets.map(([target, first, flat, lasts, attempts, knocks, clients, times, why, country, owner, evidence = []]) => {
      const denials = [];
      for (let i = 0; i < flat.length; i += 3) denials.push([flat[i], flat[i + 1], flat[i + 2] || null]);
      const [at, until] = denials.at(-1), texts = packed.texts;
      return { target, first, denials, at, until, lasts: Boolean(lasts), attempts, knocks, clients, times, evidence,
        why: texts[why], country: texts[country], owner: texts[owner] };
    }),
  });
  let facts = unpacked(JSON.parse(document.getElementById("data").textContent));
  const charts = new Map();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const words = (key, values = {}) => (facts.words[key] ?? key).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
  const number = (n) => n.toLocaleString("en-US");

  // Texts only ever become text: nothing here parses markup.
  const make = (name, texts = [], attributes = {}) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...[texts].flat());
    return element;
  };
  const when = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");  // already in the reader's zone
  const tip = (title, lines) => make("div", [make("b", title), ...lines.map((line) => make("div", line))], { class: "tip" });

  const draw = (name, option) => {
    const place = document.getElementById(`chart-${name}`);
    if (!place) return null;
    charts.get(name)?.dispose();
    const chart = echarts.init(place, null, { renderer: "svg" });
    chart.setOption({
      animation: false,
      useUTC: true,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: color("ink") },
      ...option,
    });
    charts.set(name, chart);
    return chart;
  };
  const axis = () => ({
    axisLine: { lineStyle: { color: color("line") } },
    axisLabel: { color: color("dim"), hideOverlap: true },
    splitLine: { lineStyle: { color: color("line"), opacity: 0.5 } },
  });
  const times = () => ({
    color: color("dim"), hideOverlap: true,
    formatter: { year: "{yyyy}", month: "{yyyy}-{MM}", day: "{MM}-{dd}", hour: "{HH}:{mm}", minute: "{HH}:{mm}" },
  });
  const tooltip = (formatter, more = {}) => ({
    confine: true,
    backgroundColor: color("card"),
    borderColor: color("line"),
    textStyle: { color: color("ink") },
    formatter,
    ...more,
  });

  const hours = () => {
    const h = facts.hours;
    if (!h.through.length) return;
    const wide = h.step * 1000, at = (i) => h.start[i] * 1000 + wide / 2;  // a bar stands in the middle of its time
    const series = ["through", "denied", "users"].map((name) => ({
      name: words(name), type: "bar", stack: "attempts", data: h[name].map((n, i) => [at(i), n]), itemStyle: { color: color(name) },
      barMaxWidth: 24,
    }));
    const most = Math.max(1, ...h.through.map((n, i) => n + h.denied[i] + h.users[i]));
    const busiest = Math.max(1, ...h.begun), small = h.begun.filter(Boolean).length > 100 ? 2 : 4;
    series.push({
      name: words("begun"), type: "scatter", symbol: "triangle", symbolRotate: 180, itemStyle: { color: color("red") }, z: 5,
      symbolSize: (value) => small + 2 * small * Math.sqrt(value[2] / busiest),
      data: h.begun.flatMap((n, i) => (n ? [[at(i), most * 1.04, n]] : [])),
    });
    draw("hours", {
      legend: { top: 0, left: "left", textStyle: { color: color("ink") }, itemWidth: 14, itemHeight: 10,
        data: series.map(({ name, type }) => (type === "bar" ? name : { name, icon: "path://M0 0L10 0L5 8Z" })) },
      grid: { left: 8, right: 12, top: innerWidth < 640 ? 76 : 44, bottom: 56, containLabel: true },
      xAxis: { type: "time", min: at(0) - wide / 2, max: at(h.start.length - 1) + wide / 2, minInterval: wide,
        ...axis(), axisLabel: times(), splitLine: { show: false } },
      yAxis: { type: "value", minInterval: 1, ...axis() },
      dataZoom: [{ type: "slider", height: 18, bottom: 8, borderColor: color("line"), textStyle: { color: color("dim") } }],
      series,
      tooltip: tooltip((found) => {
        const i = h.start.indexOf((found[0].value[0] - wide / 2) / 1000);
        const lines = ["through", "denied", "users", "begun", "logins", "knocks"].filter((name) => h[name][i]);
        return tip(when(h.start[i]), lines.map((name) => `${words(name)}: ${number(h[name][i])}`));
      }, { trigger: "axis", axisPointer: { type: "shadow" } }),
    });
  };

  const BARS = 200;
  const targets = () => {
    const rows = facts.targets;
    if (!rows.length) return;
    const shown = rows.slice(0, BARS).map((row, i) => ({ row, i })).sort((a, b) => a.row.first - b.row.first);
    const last = facts.end;
    const bars = [];
    shown.forEach(({ row, i }, y) => {
      const first = row.denials[0][0];
      bars.push([y, row.first, first, "through", i]);
      row.denials.forEach(([at, until, knock], n) => {
        if (n) bars.push([y, row.denials[n - 1][1], at, "gap", i]);
        if (knock) bars.push([y, at, knock, "denied", i]);
        bars.push([y, knock ?? at, Math.min(until, last), "quiet", i]);
      });
    });
    const place = document.getElementById("chart-targets");
    const visible = Math.max(8, Math.floor((Math.min(34, 6 + 1.4 * shown.length) - 6) / 1.4));
    place.style.height = `${Math.min(34, 7 + 1.4 * shown.length)}rem`;
    const from = shown.length > visible ? 100 - (100 * visible) / shown.length : 0;
    const colors = { through: color("through"), denied: color("denied"), quiet: color("denied"), gap: color("line") };
    const narrow = innerWidth < 640;
    const chart = draw("targets", {
      grid: { left: 8, right: shown.length > visible ? 40 : 12, top: 8, bottom: 28, containLabel: true },
      xAxis: { type: "time", min: Math.min(...shown.map(({ row }) => row.first)) * 1000, max: last * 1000, ...axis(), axisLabel: times() },
      yAxis: {
        type: "category", inverse: false, data: shown.map(({ row }) => row.target), ...axis(), splitLine: { show: false },
        axisLabel: { color: color("ink"), fontSize: narrow ? 10 : 12, width: narrow ? 110 : 190, overflow: "truncate", interval: 0, hideOverlap: true },
        triggerEvent: true,
      },
      dataZoom: shown.length > visible
        ? [{ type: "slider", yAxisIndex: 0, width: 16, right: 8, start: from, end: 100, showDetail: false, borderColor: color("line") },
           { type: "inside", yAxisIndex: 0, zoomOnMouseWheel: false, moveOnMouseWheel: true }]
        : [],
      series: [{
        type: "custom", encode: { x: [1, 2], y: 0 }, clip: true,
        data: bars.map(([y, from_, to, kind, i]) => [y, from_ * 1000, to * 1000, kind, i]),
        renderItem: (params, api) => {
          const [x0, y0] = api.coord([api.value(1), api.value(0)]);
          const [x1] = api.coord([api.value(2), api.value(0)]);
          const kind = bars[params.dataIndex][3];
          const tall = Math.min(14, api.size([0, 1])[1] * (kind === "gap" ? 0.12 : 0.66));
          return {
            type: "rect",
            shape: { x: x0, y: y0 - tall / 2, width: Math.max(kind === "through" ? 3 : 1, x1 - x0), height: tall },
            style: { fill: colors[kind], opacity: kind === "quiet" ? 0.35 : 1 },
          };
        },
      }],
      tooltip: tooltip((found) => {
        const row = rows[bars[found.dataIndex][4]];
        return tip(row.target, [
          `${words("came")}: ${when(row.first)}`,
          `${words("was-denied")}: ${when(row.denials[0][0])}`,
          ...(row.denials.at(-1)[2] ? [`${words("knocked")}: ${when(row.denials.at(-1)[2])}`] : []),
          `${words(row.lasts ? "until" : "ended")}: ${when(row.until)}`,
          row.why,
        ]);
      }),
    });
    chart?.on("click", (event) => {
      if (event.componentType === "yAxis") show(shown[shown.findIndex(({ row }) => row.target === event.value)]?.i);
      else if (event.seriesType === "custom") show(bars[event.dataIndex][4]);
    });
  };

  // The place of the first 16 bits of an address on a Hilbert curve of 256 by 256: neighbours stay neighbours.
  const hilbert = (d) => {
    let x = 0, y = 0, t = d;
    for (let s = 1; s < 256; s *= 2) {
      const rx = 1 & (t >> 1), ry = 1 & (t ^ rx);
      if (ry === 0) {
        if (rx === 1) { x = s - 1 - x; y = s - 1 - y; }
        [x, y] = [y, x];
      }
      x += s * rx; y += s * ry; t >>= 2;
    }
    return [x, y];
  };

  const map = () => {
    const rows = facts.map;
    if (!rows.length) return;
    const both = rows.some((row) => row[1]) && rows.some((row) => !row[1]);
    const narrow = innerWidth < 640;
    const point = ([n, six, , clients]) => {
      // IPv4: its /16 on the curve, its /24 a little beside; IPv6: the bits behind 2000::/3
      const d = six ? (n >>> 13) & 0xffff : n >>> 8;
      const inside = (six ? n & 0x1fff : n & 0xff) / (six ? 0x2000 : 0x100);
      const [x, y] = hilbert(d);
      return [x + inside, y + (inside * 7) % 1, clients];
    };
    const states = ["through", "denied", "red"];
    const lattice = { type: "value", min: 0, max: 256, interval: 64, axisLabel: { show: false }, axisTick: { show: false },
      axisLine: { show: true, lineStyle: { color: color("line") } }, splitLine: { lineStyle: { color: color("line"), opacity: 0.6 } } };
    const size = (value) => Math.min(44, 5 + 4 * Math.sqrt(value[2] - 0.5));
    const wide = document.getElementById("map").clientWidth;
    const beside = Math.max(12, (wide - 1.5 * 412) / 2);  // one alone is not much wider than high
    const families = both ? [0, 1] : [rows.some((row) => row[1]) ? 1 : 0];
    const stacked = both && narrow;
    document.getElementById("chart-map").style.height = stacked ? "42rem" : "";
    const grids = !both ? [{ left: beside, right: beside, top: 56, bottom: 12 }]
      : stacked ? [{ left: 12, right: 12, top: 56, height: "38%" }, { left: 12, right: 12, bottom: 12, height: "38%" }]
        : [{ left: "6%", right: "53%", top: 56, bottom: 12 }, { left: "56%", right: "6%", top: 56, bottom: 12 }];
    // each of the 16 squares is a /4 of IPv4: its first and last first byte stand in it
    const squares = families.includes(0) ? [{
      type: "scatter", silent: true, symbolSize: 0, z: 0, xAxisIndex: 0, yAxisIndex: 0, tooltip: { show: false },
      data: Array.from({ length: 16 }, (_none, n) => {
        const [x, y] = hilbert(n << 12).map((value) => (value & 192) + 2);
        return { value: [x, y], label: { show: true, position: "insideTopLeft", formatter: `${16 * n}–${16 * n + 15}`, color: color("dim"), fontSize: 10 } };
      }),
    }] : [];
    const series = families.flatMap((family, g) => states.map((name, state) => ({
      type: "scatter", name: words(`state-${state}`), xAxisIndex: g, yAxisIndex: g, symbolSize: size,
      itemStyle: { color: color(name), opacity: 0.75 }, emphasis: { itemStyle: { opacity: 1 } },
      data: rows.flatMap((row, i) => (row[1] === family && row[5] === state ? [[...point(row), i]] : [])),
    })));
    const chart = draw("map", {
      legend: { top: 0, left: "left", textStyle: { color: color("ink") } },
      grid: grids,
      xAxis: families.map((family, g) => ({ ...lattice, gridIndex: g, name: words(family ? "ipv6" : "ipv4"), nameLocation: "middle", nameGap: -4,
        position: "top", nameTextStyle: { color: color("dim"), padding: [0, 0, 18, 0] } })),
      yAxis: families.map((_family, g) => ({ ...lattice, gridIndex: g, inverse: true })),
      series: [...squares, ...series],
      tooltip: tooltip((found) => {
        const row = rows[found.value[3]];
        return tip(row[2], [words("clients", { n: number(row[3]) }), words("attempts", { n: number(row[4]) }), words(`state-${row[5]}`)]);
      }),
    });
    chart?.on("click", (event) => {
      const name = rows[event.value[3]][2];
      const i = facts.targets.findIndex((row) => row.target === name);
      const find = document.getElementById("find");
      if (i >= 0) show(i);
      else if (find) { find.value = name.replace(/[.:]*0*\/\d+$/, "").replace(/\.0$/, ""); search(); find.scrollIntoView({ block: "center" }); }
    });
  };

  const show = (i) => {
    const row = facts.targets[i];
    if (!row) return;
    document.getElementById("detail")?.remove();
    const close = make("button", words("close"), { type: "button", class: "do close" });
    const list = make("dl");
    const add = (name, value) => { if (value) list.append(make("dt", words(name)), make("dd", value)); };
    add("came", when(row.first));
    add("was-denied", row.denials.map(([at]) => when(at)).join("\n"));
    const knock = row.denials.at(-1)[2];
    add("knocked", knock && when(knock));
    add(row.lasts ? "until" : "ended", when(row.until));
    add("tried", number(row.attempts) + (row.clients > 1 ? words("of-clients", { n: number(row.clients) }) : ""));
    add("knocks", row.knocks && number(row.knocks));
    add("owner", [row.owner, row.country].filter(Boolean).join(", "));
    const dialog = make("dialog", [close, make("h2", make("bdi", row.target)), make("p", row.why), list], { id: "detail", "aria-label": row.target });
    if (row.evidence?.length) {
      dialog.append(make("h3", words("evidence")), make("ul", row.evidence.map(evidence), { class: "lines" }));
    }
    dialog.append(make("p", make("code", `monzen why ${row.target}`)));
    document.dispatchEvent(new CustomEvent("monzen-detail", { detail: { dialog, row } }));
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  };

  const MOST = 100;
  const line = (row, i) => {
    const button = make("button", make("bdi", row.target), { type: "button", class: "link", "data-target": i });
    const first = when(row.denials[0][0]);
    const why = [row.why];
    if (row.evidence.length) why.push(make("details", [make("summary", words("evidence")), make("ul", row.evidence.map(evidence), { class: "lines" })]));
    const cells = [button, when(row.first), row.times > 1 ? words("times", { time: first, n: row.times }) : first,
      words(row.lasts ? "until-time" : "quiet-since", { time: when(row.until) }), number(row.attempts), number(row.knocks), why];
    return make("tr", cells.map((cell, n) => make("td", cell, n === 4 || n === 5 ? { class: "n" } : {})));
  };
  // An address, or a network, as its family's bits, its number and its prefix length; null for any other text.
  const parsed = (text) => {
    const words = text.replace(/^\[(.*)\]$/, "$1").replace(/^::ffff:(?=\d+\.)/, "").split("/");
    const [address, length] = words;
    const bits = (most, usual) => (length === undefined ? usual : /^\d{1,3}$/.test(length) && Number(length) <= most ? Number(length) : -1);
    const four = address.match(/^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/)?.slice(1).map(Number);
    if (words.length > 2 || four?.some((part) => part > 255)) return null;
    if (four) return [32, four.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n), bits(32, 32)];
    const halves = address.split("::").map((half) => (half ? half.split(":") : []));
    if (!/^[0-9a-f:]*:[0-9a-f:]*$/.test(address) || halves.length > 2) return null;
    const [head, tail] = halves;
    const groups = tail ? [...head, ...Array(Math.max(0, 8 - head.length - tail.length)).fill("0"), ...tail] : head;
    if (groups.length !== 8 || groups.some((group) => group.length < 1 || group.length > 4)) return null;
    return [128, groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n), bits(128, 64)];  // a client of IPv6 is its /64
  };
  const within = ([family, number, length], around) => {
    if (!around || around[0] !== family || around[2] < 0 || length < around[2]) return false;
    const rest = BigInt(family - around[2]);
    return number >> rest === around[1] >> rest;
  };
  const evidence = (text) => make("li", make("code", make("bdi", text)));
  let unasked = null;  // the rows of the table before anything was looked for
  const search = () => {
    const find = document.getElementById("find"), table = document.getElementById("targets-table");
    if (!find || !table) return;
    const asked = find.value.trim().toLowerCase(), more = document.getElementById("targets-more"), said = document.getElementById("found");
    unasked ??= [...table.tBodies[0].rows];
    if (more) more.hidden = Boolean(asked);
    if (!asked) {
      if (said.textContent) table.tBodies[0].replaceChildren(...unasked);
      said.textContent = "";
      return;
    }
    const address = parsed(asked), network = asked.includes("/");
    const inside = (target) => within(address, target) || (network && target && within(target, address));
    const found = facts.targets.map((row, i) => [row, i]).filter(([row]) => (address && inside(parsed(row.target)))
      || [row.target, row.why, row.owner, row.country].some((text) => text?.toLowerCase().includes(asked)));
    table.tBodies[0].replaceChildren(...found.slice(0, MOST).map(([row, i]) => line(row, i)));
    label(table);
    said.textContent = found.length ? words("found", { n: number(found.length), shown: number(Math.min(MOST, found.length)) }) : words("nothing");
  };
  const label = (table) => {
    const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    for (const row of table.tBodies[0].rows) [...row.cells].forEach((cell, n) => { if (n && names[n]) cell.dataset.label = names[n]; });
  };

  const all = () => { hours(); targets(); map(); };
  const start = () => {
    const find = document.querySelector(".find");
    if (find) { find.hidden = false; document.getElementById("find").addEventListener("input", search); }
    document.querySelectorAll("table.cards").forEach(label);
    all();
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-target]");
    if (button) show(Number(button.dataset.target));
  });
  dark.addEventListener("change", all);
  let width = innerWidth, waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (innerWidth !== width) { width = innerWidth; all(); } }, 150);
  });
  addEventListener("beforeprint", () => { for (const chart of charts.values()) chart.resize(); });
  globalThis.monzen = { renew: (anew) => { facts = unpacked(anew); unasked = null; start(); search(); } };
  start();
})();
