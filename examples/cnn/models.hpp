// examples/cnn/models.hpp - the networks by name. Outputs are feature vectors; a head is
// a net of its own.
#pragma once

#include "net.hpp"

namespace cnn {

/// 3 x 3 convolution, batch norm, ReLU.
inline LayerPtr cbr(Index ci, Index co, Index stride = 1) {
  return sequential(conv3x3(ci, co, stride), bn_relu(co));
}
/// x + two cbr.
inline LayerPtr res(Index c) { return residual(cbr(c, c), cbr(c, c)); }

/// 2 width features; for tests and quick looks.
inline Net tiny(Index channels = 3, Index width = 8) {
  return Net{cbr(channels, width), maxpool2(), cbr(width, 2 * width), global_mean()};
}

/// A small ResNet-9, pooled before each residual so that its work is a tenth: 4 width
/// features.
inline Net small(Index channels = 3, Index width = 32) {
  const Index w = width;
  return Net{cbr(channels, w),  maxpool2(), cbr(w, 2 * w), maxpool2(),   res(2 * w),
             cbr(2 * w, 4 * w), maxpool2(), res(4 * w),    global_mean()};
}

/// ResNet-9 after D. Page's DAWNBench entry, for 32 x 32 images: 4 width features.
inline Net resnet9(Index channels = 3, Index width = 64) {
  const Index w = width;
  return Net{cbr(channels, w),  cbr(w, 2 * w), maxpool2(),        res(2 * w),
             cbr(2 * w, 4 * w), maxpool2(),    cbr(4 * w, 4 * w), maxpool2(),
             res(4 * w),        global_max()};
}

/// The basic block of He et al. 2016, relu(shortcut + branch); a 1 x 1 convolution where
/// the shape changes.
inline LayerPtr basic_block(Index ci, Index co, Index stride) {
  LayerPtr shortcut;
  if (ci != co || stride != 1) shortcut = sequential(conv1x1(ci, co, stride), bn(co));
  return std::make_unique<Residual>(
      sequential(cbr(ci, co, stride), conv3x3(co, co), bn(co)), std::move(shortcut),
      true);
}

/// ResNet-20 of He et al. 2016 (width 16): 4 width features.
inline Net resnet20(Index channels = 3, Index width = 16) {
  const Index w = width;
  return Net{cbr(channels, w),
             basic_block(w, w, 1),
             basic_block(w, w, 1),
             basic_block(w, w, 1),
             basic_block(w, 2 * w, 2),
             basic_block(2 * w, 2 * w, 1),
             basic_block(2 * w, 2 * w, 1),
             basic_block(2 * w, 4 * w, 2),
             basic_block(4 * w, 4 * w, 1),
             basic_block(4 * w, 4 * w, 1),
             global_mean()};
}

/// ResNet-18 of He et al. 2016 with the usual stem for 32 x 32 images, a 3 x 3
/// convolution and no pooling: 8 width features.
inline Net resnet18(Index channels = 3, Index width = 64) {
  const Index w = width;
  return Net{cbr(channels, w),
             basic_block(w, w, 1),
             basic_block(w, w, 1),
             basic_block(w, 2 * w, 2),
             basic_block(2 * w, 2 * w, 1),
             basic_block(2 * w, 4 * w, 2),
             basic_block(4 * w, 4 * w, 1),
             basic_block(4 * w, 8 * w, 2),
             basic_block(8 * w, 8 * w, 1),
             global_mean()};
}

/// Three pooled convolutions: (side / 8)^2 x 4 width features.
inline Net plain(Index channels = 3, Index width = 32) {
  const Index w = width;
  return Net{cbr(channels, w), maxpool2(),        cbr(w, 2 * w),
             maxpool2(),       cbr(2 * w, 4 * w), maxpool2()};
}

/// A net of the kind of K. Jordan's airbench94 (2024, arXiv:2404.00498): 4 width
/// features. The first convolution is fixed, to be set by whiten(). Other than there: it
/// is 3 x 3 of padded images, without a bias; GELU by tanh; starts are normal.
inline Net airbench(Index channels = 3, Index width = 64) {
  const Index w = width, first = std::min<Index>(32, 18 * channels);
  const auto conv = [](Index ci, Index co) {
    return std::make_unique<Conv>(ci, co, 3, 1, Start::dirac);
  };
  const auto norm = [](Index c) {
    return std::make_unique<BatchNorm>(c, Activation::gelu,
                                       NormOptions{.momentum = 0.4F,
                                                   .eps = 1e-12F,
                                                   .scale = false,
                                                   .shift_lr = 64,
                                                   .shift_decay = 1.0F / 64});
  };
  const auto group = [&](Index ci, Index co) {
    return sequential(conv(ci, co), maxpool2(), norm(co), conv(co, co), norm(co));
  };
  return Net{std::make_unique<Conv>(channels, first, 3, 1, Start::fixed),
             gelu(),
             group(first, w),
             group(w, 4 * w),
             group(4 * w, 4 * w),
             global_max()};
}

/// The network of that name: tiny, small, resnet9, resnet18, resnet20, plain, airbench;
/// width 0 is its own.
/// @throws std::invalid_argument for another name.
inline Net make_net(const std::string& name, Index channels, Index width = 0) {
  if (name == "tiny") return tiny(channels, width > 0 ? width : 8);
  if (name == "small") return small(channels, width > 0 ? width : 32);
  if (name == "resnet9") return resnet9(channels, width > 0 ? width : 64);
  if (name == "resnet20") return resnet20(channels, width > 0 ? width : 16);
  if (name == "resnet18") return resnet18(channels, width > 0 ? width : 64);
  if (name == "plain") return plain(channels, width > 0 ? width : 32);
  if (name == "airbench") return airbench(channels, width > 0 ? width : 64);
  hcl::fail("make_net: no network '", name,
            "', known are tiny, small, resnet9, resnet18, resnet20, plain, airbench");
}

/// The projection head of SimCLR and SupCon: linear, batch norm, ReLU, linear.
inline Net projection_head(Index features, Index hidden, Index out) {
  return Net{linear(features, hidden, false), bn_relu(hidden), linear(hidden, out)};
}
/// The classifier: one linear layer, its logits times scale.
inline Net linear_head(Index features, Index classes, bool bias = true, float scale = 1) {
  return Net{std::make_unique<Linear>(features, classes, bias, scale)};
}

}  // namespace cnn
