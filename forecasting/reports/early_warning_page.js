(function () {
  "use strict";
  var DAY = 864e5, tables = Array.from(document.querySelectorAll("table.main"));

  function make(name, words) {
    var made = document.createElement(name);
    if (name === "button") { made.type = "button"; }
    made.textContent = words;
    return made;
  }

  // Rows open into their note.
  function open(body, yes) {
    body.classList.toggle("open", yes);
    body.querySelector(".more").hidden = !yes;
    body.querySelector(".opens button").setAttribute("aria-expanded", String(yes));
  }
  tables.forEach(function (table) {
    Array.from(table.tBodies).forEach(function (body) {
      var place = body.querySelector(".opens"), button = make("button", place.textContent), more = body.querySelector(".more");
      more.id = body.id + "-more";
      button.setAttribute("aria-controls", more.id);
      place.textContent = "";
      place.appendChild(button);
      button.addEventListener("click", function () { open(body, more.hidden); });
      open(body, false);
    });
  });

  // Sorting: what has no number comes last in both directions; equal rows keep their order.
  function key(body, at) {
    var cell = body.rows[0].cells[at], v = cell.getAttribute("data-v");
    return v === null ? (cell.querySelector(".muted") ? null : cell.textContent) : Number(v);
  }
  function sort(table, at, way) {
    var sign = way === "ascending" ? 1 : -1;
    Array.from(table.tBodies).map(function (body) { return { body: body, key: key(body, at) }; }).sort(function (x, y) {
      if (x.key === null || y.key === null) { return (x.key === null) - (y.key === null); }
      if (typeof x.key === "number" && typeof y.key === "number") { return sign * (x.key - y.key); }
      return sign * String(x.key).localeCompare(String(y.key), "en", { numeric: true });
    }).forEach(function (row) { table.appendChild(row.body); });
    Array.from(table.tHead.rows[0].cells).forEach(function (head, i) {
      if (i === at) { head.setAttribute("aria-sort", way); } else { head.removeAttribute("aria-sort"); }
    });
  }
  tables.forEach(function (table) {
    var heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach(function (head, at) {
      var button = make("button", head.textContent);
      head.textContent = "";
      head.appendChild(button);
      button.addEventListener("click", function () {
        var now = head.getAttribute("aria-sort");
        sort(table, at, now === null ? head.dataset.first : now === "ascending" ? "descending" : "ascending");
      });
    });
    var label = table.closest("section").querySelector(".sortby");
    label.hidden = false;
    label.querySelector("select").addEventListener("change", function (event) {
      if (event.target.value !== "") { sort(table, Number(event.target.value), heads[event.target.value].dataset.first); }
    });
  });

  // Filtering both tables at once.
  var names = ["service", "customer", "severity", "state"], text = document.getElementById("filter-text");
  var words = new WeakMap(), count = document.getElementById("count");
  tables.forEach(function (table) {
    Array.from(table.tBodies).forEach(function (body) { words.set(body, body.textContent.toLowerCase()); });
  });
  function passes(body, wanted, parts) {
    return wanted.every(function (w) { return body.getAttribute("data-" + w[0]).split(" ").indexOf(w[1]) >= 0; }) &&
      parts.every(function (part) { return words.get(body).indexOf(part) >= 0; });
  }
  function filter() {
    var wanted = names.map(function (n) { return [n, document.getElementById("filter-" + n).value]; })
      .filter(function (w) { return w[1] !== ""; });
    var parts = text.value.toLowerCase().split(/\s+/).filter(Boolean), told = [];
    tables.forEach(function (table) {
      var shown = 0, bodies = Array.from(table.tBodies);
      bodies.forEach(function (body) {
        body.hidden = !passes(body, wanted, parts);
        shown += body.hidden ? 0 : 1;
      });
      table.closest("section").querySelector(".none").hidden = shown > 0;
      told.push(table.dataset.name + ": " + shown + " of " + bodies.length);
    });
    count.textContent = told.join(" · ");
  }
  function showAll() {
    names.forEach(function (n) { document.getElementById("filter-" + n).value = ""; });
    text.value = "";
    filter();
  }
  names.forEach(function (n) { document.getElementById("filter-" + n).addEventListener("change", filter); });
  text.addEventListener("input", filter);
  document.getElementById("reset").addEventListener("click", showAll);
  document.getElementById("filters").hidden = tables.length === 0;
  filter();

  // A link to a warning shows and opens it.
  function openTarget() {
    var body = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!body || body.tagName !== "TBODY") { return; }
    if (body.hidden) { showAll(); }
    open(body, true);
    body.querySelector(".opens button").focus({ preventScroll: true });
    body.scrollIntoView({ block: "start" });
  }
  window.addEventListener("hashchange", openTarget);
  document.addEventListener("click", function (event) {
    var link = event.target.closest("a[href^='#w']");
    if (link && link.hash === location.hash) { openTarget(); }
  });
  openTarget();

  // A page of now grows old while nobody makes it anew.
  function plural(n, word) { return n.toLocaleString("en") + " " + word + (n === 1 ? "" : "s"); }
  function tell() {
    var data = document.getElementById("data"), now = Date.now();
    if (!data.hasAttribute("data-live")) { return; }
    var age = now - Number(data.dataset.cut), hours = Math.floor(age / 36e5), stale = age > Number(data.dataset.stale);
    document.getElementById("age").textContent =
      (hours < 1 ? "less than an hour" : hours < 49 ? plural(hours, "hour") : plural(Math.floor(hours / 24), "day")) + " old";
    document.getElementById("stale").hidden = !stale;
    data.classList.toggle("stale", stale);
    document.querySelectorAll("[data-day]").forEach(function (place) {
      var left = Date.parse(place.dataset.day) / DAY - Math.floor(now / DAY);
      place.textContent = left === 0 ? "today" : left > 0 ? plural(left, "day") + " left" : plural(-left, "day") + " overdue";
    });
  }
  tell();
  window.setInterval(tell, 60000);
})();
