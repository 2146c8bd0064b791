// examples/cifar/pictures.hpp - what a run learned, drawn by gnuplot. Every picture keeps
// its data and its script beside it in the folder of the run.
#pragma once

#include <Eigen/Eigenvalues>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cnn/file.hpp"
#include "evaluate.hpp"

namespace cifar {

namespace fs = std::filesystem;

/// Writes NAME.gp and runs it in the folder of the run; says so where that fails, as
/// pictures are not worth losing a run.
inline void draw(const fs::path& run, const std::string& name, const std::string& size,
                 const std::string& script) {
  cnn::replace_file(run / (name + ".gp"), "set terminal pngcairo font 'sans,12' size " +
                                              size + "\nset output '" + name + ".png'\n" +
                                              script + "\n");
  std::string quoted;  // for the shell
  for (const char c : run.string()) c == '\'' ? quoted += "'\\''" : quoted += c;
  const std::string command = "cd '" + quoted + "' && gnuplot " + name + ".gp";
  if (std::system(command.c_str()) != 0)
    std::fprintf(stderr, "no picture %s.png: gnuplot failed or is missing: %s\n",
                 name.c_str(), command.c_str());
}

/// curves.png from log.jsonl: the loss of each epoch, and test accuracy where it was
/// measured.
inline void draw_curves(const fs::path& run) {
  std::ifstream log(run / "log.jsonl");
  std::ostringstream data;
  bool accuracy = false;
  for (std::string line; std::getline(log, line);) {
    const auto j = nlohmann::json::parse(line, nullptr, false);
    if (j.is_discarded() || !j.contains("epoch")) continue;
    data << j["epoch"] << ' ' << j["loss"] << ' ';
    if (j.contains("test_accuracy"))
      data << 100 * j["test_accuracy"].get<double>() << '\n', accuracy = true;
    else
      data << "NaN\n";
  }
  cnn::replace_file(run / "curves.dat", data.str());
  std::string s = "set xlabel 'epoch'\nset ylabel 'training loss'\nset grid\n";
  if (accuracy)
    s += "set key bottom right\nset y2label 'test accuracy, %'\nset y2tics\n"
         "set y2range [0:100]\n";
  s += "plot 'curves.dat' using 1:2 with linespoints lw 2 pt 7 ps 0.6 title 'loss'";
  if (accuracy)
    s += ", '' using 1:3 axes x1y2 with linespoints lw 2 pt 5 ps 0.6 title 'test "
         "accuracy'";
  draw(run, "curves", "900,560", s);
}

/// robust.png: accuracy against epsilon, one line for each attack.
inline void draw_robust(const fs::path& run, const nlohmann::json& rows) {
  std::ostringstream data;
  for (const auto& r : rows)
    data << r["epsilon_255"] << ' ' << 100 * r["fgsm"].get<double>() << ' '
         << 100 * r["pgd"].get<double>() << '\n';
  cnn::replace_file(run / "robust.dat", data.str());
  draw(run, "robust", "800,520",
       "set xlabel 'epsilon, in 1/255'\nset ylabel 'accuracy under attack, %'\n"
       "set yrange [0:100]\nset grid\n"
       "plot 'robust.dat' using 1:2 with linespoints lw 2 pt 5 title 'FGSM', "
       "'' using 1:3 with linespoints lw 2 pt 7 title 'PGD'");
}

/// disk.png: points of an embedding in the Poincare disk. The tangent vectors at the
/// origin are projected on their two principal axes, scaled to the disk and mapped back
/// by expmap0.
inline void draw_disk(const fs::path& run, const Matrix& tangent,
                      const std::vector<std::int32_t>& labels, int classes,
                      const std::vector<std::string>& names) {
  const Eigen::RowVectorXf mean = tangent.colwise().mean();
  const Matrix centred = tangent.rowwise() - mean;
  const Eigen::MatrixXf cov = centred.transpose() * centred;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXf> axes(cov);
  Matrix plane = centred * axes.eigenvectors().rightCols(2);
  const float spread = std::sqrt(plane.rowwise().squaredNorm().mean());
  plane *= 1.0F / std::max(spread, 1e-20F);
  Matrix disk(plane.rows(), 2);
  hcl::expmap0(hcl::PoincareBall<float>{1}, plane, disk);
  std::ostringstream data;
  for (Index i = 0; i < disk.rows(); ++i)
    data << disk(i, 0) << ' ' << disk(i, 1) << ' ' << labels[std::size_t(i)] << '\n';
  cnn::replace_file(run / "disk.dat", data.str());
  const std::string n = std::to_string(classes);
  std::string tics = classes > 20 ? "set cbtics 0,10\n" : "set cbtics 0,1\n";
  if (!names.empty()) {
    tics = "set cbtics (";
    for (std::size_t k = 0; k < names.size(); ++k)
      tics += (k > 0 ? ", '" : "'") + names[k] + "' " + std::to_string(k);
    tics += ")\n";
  }
  draw(run, "disk", "900,720",
       "set title 'test images on the two principal axes of their tangent vectors'\n"
       "set size square\nset rmargin 18\nset xrange [-1.02:1.02]\nset yrange "
       "[-1.02:1.02]\n"
       "unset tics\nset border 0\nset parametric\nset trange [0:2*pi]\n"
       "set palette model HSV defined (0 0 0.9 0.85, 1 0.9 0.9 0.85) maxcolors " +
           n + "\nset cbrange [-0.5:" + n + "-0.5]\n" + tics +
           "plot cos(t), sin(t) lc rgb 'black' notitle, "
           "'disk.dat' using 1:2:3 with points pt 7 ps 0.45 lc palette notitle");
}

/// adversarial.png: a row of clean images, the same attacked, and the difference
/// enlarged.
inline void draw_adversarial(const fs::path& run, const std::vector<float>& clean,
                             const std::vector<float>& attacked, Index count, Index side,
                             Index channels, float epsilon, const std::string& title) {
  const Index gap = 2, cell = side + gap, width = count * cell, height = 3 * cell;
  std::string rgb(std::size_t(width * height * 3), char(255));
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
                char(std::uint8_t(std::clamp(v, 0.0F, 1.0F) * 255 + 0.5F));
          }
  cnn::replace_file(run / "adversarial.rgb", rgb);
  draw(run, "adversarial",
       std::to_string(width * 3 + 40) + "," + std::to_string(height * 3 + 70),
       "set title \"" + title +
           "\"\nunset tics\nunset border\nset lmargin 1\nset rmargin 1\n"
           "set size ratio -1\nplot 'adversarial.rgb' binary array=(" +
           std::to_string(width) + "," + std::to_string(height) +
           ") flipy format='%uchar%uchar%uchar' with rgbimage notitle");
}

}  // namespace cifar
