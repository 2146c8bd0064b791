// examples/cifar/pictures.hpp - what a run learned, drawn by gnuplot.
#pragma once

#include <Eigen/Eigenvalues>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "evaluate.hpp"

namespace cifar {

namespace fs = std::filesystem;

/// Runs a gnuplot script. @throws std::runtime_error if gnuplot is missing or fails.
inline void gnuplot(const fs::path& script) {
  const std::string command = "gnuplot '" + script.string() + "'";
  if (std::system(command.c_str()) != 0)
    throw std::runtime_error("gnuplot failed or is not installed: " + command);
}

inline void write_script(const fs::path& path, const std::string& text) {
  std::ofstream out(path);
  out << text;
  if (!out.flush()) throw std::runtime_error(path.string() + ": cannot be written");
}

/// curves.png from log.jsonl: the loss of each epoch, and test accuracy where it was
/// measured.
inline void draw_curves(const fs::path& run) {
  std::ifstream log(run / "log.jsonl");
  std::ofstream data(run / "curves.dat");
  bool accuracy = false;
  for (std::string line; std::getline(log, line);) {
    const auto j = nlohmann::json::parse(line, nullptr, false);
    if (j.is_discarded() || !j.contains("epoch")) continue;
    data << j["epoch"] << ' ' << j["loss"] << ' ';
    if (j.contains("test_accuracy"))
      data << 100 * j["test_accuracy"].get<double>(), accuracy = true;
    else
      data << "NaN";
    data << '\n';
  }
  data.close();
  std::string s =
      "set terminal pngcairo size 900,560 font 'sans,12'\nset output '" +
      (run / "curves.png").string() +
      "'\nset xlabel 'epoch'\nset ylabel 'training loss'\nset grid\nset key top center\n";
  if (accuracy) s += "set y2label 'test accuracy, %'\nset y2tics\nset y2range [0:100]\n";
  s += "plot '" + (run / "curves.dat").string() +
       "' using 1:2 with linespoints lw 2 pt 7 ps 0.6 title 'loss'";
  if (accuracy)
    s += ", '' using 1:3 axes x1y2 with linespoints lw 2 pt 5 ps 0.6 title 'test "
         "accuracy'";
  write_script(run / "curves.gp", s + "\n");
  gnuplot(run / "curves.gp");
}

/// robust.png: accuracy against epsilon in 1/255.
inline void draw_robust(const fs::path& run,
                        const std::vector<std::pair<double, double>>& points) {
  std::ofstream data(run / "robust.dat");
  for (const auto& [eps, accuracy] : points)
    data << eps * 255 << ' ' << 100 * accuracy << '\n';
  data.close();
  write_script(
      run / "robust.gp",
      "set terminal pngcairo size 800,520 font 'sans,12'\nset output '" +
          (run / "robust.png").string() +
          "'\nset xlabel 'epsilon, in 1/255'\nset ylabel 'accuracy under PGD, %'\n"
          "set yrange [0:100]\nset grid\nplot '" +
          (run / "robust.dat").string() +
          "' with linespoints lw 2 pt 7 title 'test images'\n");
  gnuplot(run / "robust.gp");
}

/// disk.png: points of an embedding in the Poincare disk. The tangent vectors at the
/// origin are projected on their two principal axes, scaled to the disk and mapped back
/// by expmap0.
inline void draw_disk(const fs::path& run, Matrix tangent,
                      const std::vector<std::int32_t>& labels) {
  const Eigen::RowVectorXf mean = tangent.colwise().mean();
  const Matrix centred = tangent.rowwise() - mean;
  const Eigen::MatrixXf cov = centred.transpose() * centred;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXf> axes(cov);
  Matrix plane = centred * axes.eigenvectors().rightCols(2);
  const float spread = std::sqrt(plane.rowwise().squaredNorm().mean());
  plane *= 1.0F / std::max(spread, 1e-20F);
  Matrix disk(plane.rows(), 2);
  hcl::expmap0(hcl::PoincareBall<float>{1}, plane, disk);
  std::ofstream data(run / "disk.dat");
  for (Index i = 0; i < disk.rows(); ++i)
    data << disk(i, 0) << ' ' << disk(i, 1) << ' ' << labels[std::size_t(i)] << '\n';
  data.close();
  write_script(
      run / "disk.gp",
      "set terminal pngcairo size 760,720 font 'sans,12'\nset output '" +
          (run / "disk.png").string() +
          "'\nset size square\nset xrange [-1.02:1.02]\nset yrange [-1.02:1.02]\n"
          "unset tics\nset border 0\nset parametric\nset trange [0:2*pi]\n"
          "set palette model HSV defined (0 0 0.9 0.85, 1 0.9 0.9 0.85) maxcolors 10\n"
          "set cbrange [-0.5:9.5]\nset cbtics 0,1,9\nset cblabel 'class'\n"
          "plot cos(t), sin(t) lc rgb 'black' notitle, '" +
          (run / "disk.dat").string() +
          "' using 1:2:3 with points pt 7 ps 0.45 lc palette notitle\n");
  gnuplot(run / "disk.gp");
}

/// adversarial.png: a row of clean images, the same attacked, and the difference
/// enlarged.
inline void draw_adversarial(const fs::path& run, const std::vector<float>& clean,
                             const std::vector<float>& attacked, Index count, Index side,
                             Index channels, float epsilon, const std::string& title) {
  const Index gap = 2, cell = side + gap, width = count * cell, height = 3 * cell;
  std::vector<std::uint8_t> rgb(std::size_t(width * height * 3), 255);
  for (Index row = 0; row < 3; ++row)
    for (Index n = 0; n < count; ++n)
      for (Index y = 0; y < side; ++y)
        for (Index x = 0; x < side; ++x)
          for (Index k = 0; k < 3; ++k) {
            const auto at = std::size_t(((n * side + y) * side + x) * channels +
                                        (channels == 3 ? k : 0));
            const float d = attacked[at] - clean[at];
            const float v = row == 0   ? clean[at]
                            : row == 1 ? attacked[at]
                                       : 0.5F + (epsilon > 0 ? 0.5F * d / epsilon : 0.0F);
            rgb[std::size_t(((row * cell + y) * width + n * cell + x) * 3 + k)] =
                std::uint8_t(std::clamp(v, 0.0F, 1.0F) * 255 + 0.5F);
          }
  std::ofstream data(run / "adversarial.rgb", std::ios::binary);
  data.write(reinterpret_cast<const char*>(rgb.data()), std::streamsize(rgb.size()));
  data.close();
  write_script(run / "adversarial.gp",
               "set terminal pngcairo size " + std::to_string(width * 3 + 40) + "," +
                   std::to_string(height * 3 + 70) + " font 'sans,11'\nset output '" +
                   (run / "adversarial.png").string() + "'\nset title \"" + title +
                   "\"\nunset tics\nunset border\nset lmargin 1\nset rmargin 1\n"
                   "set size ratio -1\nplot '" +
                   (run / "adversarial.rgb").string() + "' binary array=(" +
                   std::to_string(width) + "," + std::to_string(height) +
                   ") flipy format='%uchar%uchar%uchar' with rgbimage notitle\n");
  gnuplot(run / "adversarial.gp");
}

}  // namespace cifar
