/// \file
/// Tables as CSV (RFC 4180: quotes where needed, one header row) and as aligned text.
#pragma once
#include <string>
#include <vector>

namespace krylearn {

/// A table of texts with named columns.
struct Csv {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
  std::size_t short_rows = 0; ///< rows that Parse() had to fill up

  std::string Text() const;
  /// Reads a text; rows shorter than the header are filled up with empty cells.
  static Csv Parse(const std::string &text);
  /// Number of a column, -1 where there is none.
  int Column(const std::string &name) const;
  /// Are all these columns there?
  bool Has(const std::vector<std::string> &names) const;
  /// Cell as text or number; empty, or NaN where it is missing or no number.
  const std::string &Cell(std::size_t row, const std::string &column) const;
  double Number(std::size_t row, const std::string &column) const;
};

/// The shortest text that reads back as `value` to 9 digits; "" for NaN.
std::string NumberText(double value);
/// Three significant digits, as people read them: "0.0123", "4.56", "123", "-" for NaN.
std::string Short(double value);

/// Text with aligned columns: the first to the left, the others to the right; columns listed in `left` to the left too.
/// `title` (if any) goes above, each row ends a line.
std::string AlignedTable(const std::string &title, const Csv &table, const std::vector<std::string> &left = {});

} // namespace krylearn
