// Tables sort by a click, or by the keyboard, on the head of a column; rows stay within their group.

const NUMBER = /^[+\u2212-]?\d[\d,]*(\.\d+)?/;

/** What a cell sorts by: its leading number, else its text. */
function key(row, column) {
  const text = (row.cells[column]?.innerText ?? "").trim();
  const number = text.match(NUMBER)?.[0].replace("\u2212", "-").replaceAll(",", "");
  return number === undefined ? text.toLowerCase() : Number(number);
}

/** Rows without a number come last in either direction. */
function compare(a, b, direction) {
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return direction * (a < b ? -1 : a > b ? 1 : 0);
}

/** The rows of a table between the lines that name a group. */
function groups(body) {
  const found = [[]];
  for (const row of body.rows) row.classList.contains("group") ? found.push([row], []) : found.at(-1).push(row);
  return found;
}

function sort(table, column, direction) {
  const body = table.tBodies[0];
  for (const rows of groups(body)) {
    const keyed = rows.map(row => [key(row, column), row]);
    keyed.sort(([a], [b]) => compare(a, b, direction));
    body.append(...keyed.map(([, row]) => row));
  }
}

/** Every head of a single column with the column that it heads, spans taken into account. */
function columns(table) {
  const taken = [], found = [];
  [...table.tHead.rows].forEach((row, line) => {
    let column = 0;
    for (const cell of row.cells) {
      while (taken[line]?.[column]) column++;
      for (let down = 0; down < cell.rowSpan; down++)
        for (let right = 0; right < cell.colSpan; right++) (taken[line + down] ??= [])[column + right] = true;
      if (cell.colSpan === 1 && line + cell.rowSpan === table.tHead.rows.length) found.push([cell, column]);
      column += cell.colSpan;
    }
  });
  return found;
}

function makeSortable(table) {
  const heads = columns(table).filter(([cell]) => cell.innerText.trim());
  for (const [cell, column] of heads) {
    const button = document.createElement("button");
    button.className = "sort";
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", () => {
      const direction = cell.getAttribute("aria-sort") === "descending" ? 1 : -1;
      heads.forEach(([other]) => other.removeAttribute("aria-sort"));
      cell.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
      sort(table, column, direction);
    });
  }
}

document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("table.results, table.dataframe"))
    if (table.tHead && table.tBodies[0]?.rows.length > 2) makeSortable(table);
});
