// Read from a folder, pages may not be fetched for excerpts: the search then lists titles, without errors.
if (location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
