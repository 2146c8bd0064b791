// Embedding hcl in an autodiff engine: a reverse-mode tape of 60 lines, with a loss of
// hcl as one of its operations. And, since the loss gives its gradient by the embeddings,
// the encoder need not keep its activations: the second half re-runs it in chunks and
// gets the same gradient.
#include <Eigen/Core>
#include <cmath>
#include <cstdio>
#include <functional>
#include <hcl/hcl.hpp>
#include <memory>
#include <random>
#include <vector>

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A value on the tape and dL/dvalue.
struct Node {
  Matrix value, grad;
};
using Var = std::shared_ptr<Node>;

/// Remembers, for every operation, how to pass the gradient back.
class Tape {
 public:
  Var variable(Matrix value) {
    Matrix zero = Matrix::Zero(value.rows(), value.cols());
    return std::make_shared<Node>(Node{std::move(value), std::move(zero)});
  }
  Var matmul(const Var& a, const Var& b) {
    return record(a->value * b->value, [a, b](const Node& y) {
      a->grad += y.grad * b->value.transpose();
      b->grad += a->value.transpose() * y.grad;
    });
  }
  Var tanh(const Var& a) {
    return record(a->value.array().tanh().matrix(), [a](const Node& y) {
      a->grad.array() += y.grad.array() * (1 - y.value.array().square());
    });
  }
  /// The point of the ball that a tangent vector at the origin leads to. c is a 1 x 1
  /// variable.
  Var expmap0(const Var& v, const Var& c) {
    const hcl::PoincareBall<double> ball{c->value(0, 0)};
    Matrix z(v->value.rows(), v->value.cols());
    hcl::expmap0(ball, v->value, z);
    return record(std::move(z), [v, c, ball](const Node& y) {
      hcl::expmap0_vjp(ball, v->value, y.grad, v->grad, c->grad(0, 0));
    });
  }
  /// NT-Xent over minus the ball's distance; its gradients are ready as soon as its value
  /// is.
  Var nt_xent(const Var& z, const Var& c, const Var& tau) {
    const hcl::NtXent loss{hcl::NegDist{hcl::PoincareBall<double>{c->value(0, 0)}},
                           tau->value(0, 0)};
    auto gz = std::make_shared<Matrix>(z->value.rows(), z->value.cols());
    const auto out = loss.value_and_grad(z->value, *gz);
    return record(Matrix::Constant(1, 1, out.value), [=](const Node& y) {
      z->grad += y.grad(0, 0) * *gz;
      c->grad(0, 0) += y.grad(0, 0) * out.grad_c;
      tau->grad(0, 0) += y.grad(0, 0) * out.grad_temperature;
    });
  }
  /// From dL/dy, ones for the loss itself, to the grad of everything that y depends on.
  void backward(const Var& y, const Matrix& seed) {
    y->grad = seed;
    for (auto op = back_.rbegin(); op != back_.rend(); ++op) (*op)();
  }

 private:
  Var record(Matrix value, std::function<void(const Node&)> back) {
    Var y = variable(std::move(value));
    back_.push_back([y, back = std::move(back)] { back(*y); });
    return y;
  }
  std::vector<std::function<void()>> back_;
};

int main() {
  std::mt19937 rng{1};
  std::normal_distribution<double> normal;
  const auto random = [&](Eigen::Index n, Eigen::Index d, double scale) {
    return Matrix(Matrix::NullaryExpr(n, d, [&] { return scale * normal(rng); }));
  };
  const Eigen::Index rows = 64, chunk = 16;
  const Matrix images = random(rows, 20, 1);
  const Matrix w1 = random(20, 16, 0.2), w2 = random(16, 8, 0.3);

  // Everything on one tape.
  Tape tape;
  const Var x = tape.variable(images), a = tape.variable(w1), b = tape.variable(w2);
  const Var c = tape.variable(Matrix::Constant(1, 1, 0.7));
  const Var tau = tape.variable(Matrix::Constant(1, 1, 0.2));
  const Var z = tape.expmap0(tape.matmul(tape.tanh(tape.matmul(x, a)), b), c);
  const Var loss = tape.nt_xent(z, c, tau);
  tape.backward(loss, Matrix::Ones(1, 1));
  std::printf("loss %.6f  dL/dc %.6f  dL/dtau %.6f\n", loss->value(0, 0), c->grad(0, 0),
              tau->grad(0, 0));

  // Step 1, embeddings only, chunk by chunk; nothing is remembered.
  Matrix embeddings(rows, 8), grad(rows, 8);
  const hcl::PoincareBall<double> ball{0.7};
  const auto encode = [&](Tape& t, Eigen::Index first, const Var& p, const Var& q) {
    const Var part = t.variable(images.middleRows(first, chunk));
    const Var curvature = t.variable(Matrix::Constant(1, 1, 0.7));
    return t.expmap0(t.matmul(t.tanh(t.matmul(part, p)), q), curvature);
  };
  for (Eigen::Index i = 0; i < rows; i += chunk) {
    Tape t;
    embeddings.middleRows(i, chunk) = encode(t, i, t.variable(w1), t.variable(w2))->value;
  }
  // Step 2, the loss of the whole batch and its gradient by the embeddings.
  hcl::NtXent{hcl::NegDist{ball}, 0.2}.value_and_grad(embeddings, grad);
  // Step 3, every chunk once more, now with its rows of that gradient.
  Matrix g1 = Matrix::Zero(20, 16), g2 = Matrix::Zero(16, 8);
  for (Eigen::Index i = 0; i < rows; i += chunk) {
    Tape t;
    const Var p = t.variable(w1), q = t.variable(w2);
    t.backward(encode(t, i, p, q), grad.middleRows(i, chunk));
    g1 += p->grad, g2 += q->grad;
  }
  const double error = (g1 - a->grad).norm() / a->grad.norm();
  std::printf("encoder gradient in chunks of %td rows differs by %.1e\n", chunk, error);
  return error < 1e-12 ? 0 : 1;
}
