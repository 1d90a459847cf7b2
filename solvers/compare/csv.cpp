#include "solvers/compare/csv.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace krylearn {
namespace {

void AppendCell(const std::string &cell, std::string *text) {
  if (cell.find_first_of(",\"\n\r") == std::string::npos) {
    *text += cell;
    return;
  }
  *text += '"';
  for (const char c : cell) {
    if (c == '"') *text += '"';
    *text += c;
  }
  *text += '"';
}

void AppendRow(const std::vector<std::string> &row, std::string *text) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (i) *text += ',';
    AppendCell(row[i], text);
  }
  *text += '\n';
}

/// How wide a text is printed: UTF-8 bytes after the first of a character take no room.
std::size_t Width(const std::string &text) {
  return std::size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

} // namespace

std::string Csv::Text() const {
  std::string text;
  AppendRow(header, &text);
  for (const auto &row : rows) AppendRow(row, &text);
  return text;
}

Csv Csv::Parse(const std::string &text) {
  Csv csv;
  std::vector<std::string> row;
  std::string cell;
  bool quoted = false, any = false;
  const auto end_row = [&] {
    if (!any) return;
    row.push_back(cell);
    if (csv.header.empty()) csv.header = row;
    else {
      if (row.size() < csv.header.size()) ++csv.short_rows;
      if (row.size() < csv.header.size()) row.resize(csv.header.size());
      csv.rows.push_back(row);
    }
    row.clear();
    cell.clear();
    any = false;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"') cell += c;
      else if (i + 1 < text.size() && text[i + 1] == '"') cell += text[++i];
      else quoted = false;
    } else if (c == '"') {
      quoted = any = true;
    } else if (c == ',') {
      row.push_back(cell);
      cell.clear();
      any = true;
    } else if (c == '\n') {
      end_row();
    } else if (c != '\r') {
      cell += c;
      any = true;
    }
  }
  end_row();
  return csv;
}

int Csv::Column(const std::string &name) const {
  const auto found = std::find(header.begin(), header.end(), name);
  return found == header.end() ? -1 : int(found - header.begin());
}

bool Csv::Has(const std::vector<std::string> &names) const {
  return std::all_of(names.begin(), names.end(), [this](const std::string &n) { return Column(n) >= 0; });
}

const std::string &Csv::Cell(std::size_t row, const std::string &column) const {
  static const std::string empty;
  const int c = Column(column);
  return c < 0 ? empty : rows[row][std::size_t(c)];
}

double Csv::Number(std::size_t row, const std::string &column) const {
  const std::string &cell = Cell(row, column);
  char *end;
  const double value = std::strtod(cell.c_str(), &end);
  return cell.empty() || *end ? std::nan("") : value;
}

std::string NumberText(double value) {
  if (std::isnan(value)) return "";
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::string Short(double value) {
  if (std::isnan(value)) return "-";
  char text[40];
  const double size = std::fabs(value);
  if (value == 0) return "0";
  if (size >= 99.95) std::snprintf(text, sizeof text, size < 1e7 ? "%.0f" : "%.3g", value);
  else if (size < 1e-4) std::snprintf(text, sizeof text, "%.2e", value);
  else std::snprintf(text, sizeof text, "%.*f", std::max(0, 2 - int(std::floor(std::log10(size * 1.005)))), value);
  return text;
}

std::string AlignedTable(const std::string &title, const Csv &table, const std::vector<std::string> &left) {
  std::vector<std::size_t> width(table.header.size());
  for (std::size_t c = 0; c < width.size(); ++c) {
    width[c] = Width(table.header[c]);
    for (const auto &row : table.rows) width[c] = std::max(width[c], Width(row[c]));
  }
  std::string text = title.empty() ? "" : title + "\n";
  const auto print = [&](const std::vector<std::string> &row) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const bool to_left = c == 0 || std::find(left.begin(), left.end(), table.header[c]) != left.end();
      const std::string room(width[c] - Width(row[c]), ' ');
      line += (c ? "  " : "") + (to_left ? row[c] + room : room + row[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  print(table.header);
  for (const auto &row : table.rows) print(row);
  return text;
}

} // namespace krylearn
