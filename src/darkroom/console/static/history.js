// A history that is followed for hours keeps its newest rows only.
document.addEventListener("htmx:afterSettle", () => {
  const body = document.getElementById("records");
  if (!body) return;
  while (body.rows.length > Number(body.dataset.rowsMax)) body.lastElementChild.remove();
});
